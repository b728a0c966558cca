/** Names the project of a request, for tokens that see all (CONTRACT §2). */
export const PROJECT_HEADER = 'X-Project-Id';

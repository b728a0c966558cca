export interface Answer {
  /** 0: none. */
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export type Call = (method: string, path: string, body?: object) => Promise<Answer>;

/** One request to a server that may be gone at any moment. */
export async function request(
  url: string,
  token: string,
  method: string,
  path: string,
  body?: object,
): Promise<Answer> {
  try {
    const answer = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as Answer['body'] };
  } catch {
    return { status: 0, body: {} };
  }
}

export function codeOf({ body }: Answer): string | undefined {
  const { code } = (body['error'] ?? {}) as { code?: string };
  return code;
}

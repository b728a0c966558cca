/** The same numbers in [0, 1) for the same seed, in every process. */
export function randomFrom(seed: number): () => number;

/** A JSON Schema (2020-12) of one value. */
export type Schema = Readonly<Record<string, unknown>>;

export const text = (description: string): Schema => ({ type: 'string', description });
export const textOrNull = (description: string): Schema => ({ type: ['string', 'null'], description });
export const time = (description: string): Schema => ({ type: 'string', format: 'date-time', description });
export const choice = (description: string, values: readonly string[]): Schema => ({
  type: 'string',
  enum: values,
  description,
});
export const texts = (description: string): Schema => ({
  type: 'array',
  items: { type: 'string' },
  description,
});
export const free = (description: string): Schema => ({ description });

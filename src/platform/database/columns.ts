import { Column, type ColumnOptions } from 'typeorm';

/** Times are ISO 8601 strings with milliseconds everywhere; TypeORM alone makes Dates of them on its way. */
const ISO_TIME = {
  from: (time: Date | null): string | null => time?.toISOString() ?? null,
  to: (time: unknown): unknown => time,
};

/** TypeORM makes a string of every bigint; ours stay below 2^53. */
const SAFE_INTEGER = {
  from: (value: string | null): number | null => (value === null ? null : Number(value)),
  to: (value: unknown): unknown => value,
};

type Options = Pick<ColumnOptions, 'nullable' | 'default' | 'primary' | 'comment'>;

/** A `timestamptz` whose property is an ISO 8601 string. */
export function timeColumn(options: Options = {}): PropertyDecorator {
  return Column({ ...options, type: 'timestamptz', transformer: ISO_TIME });
}

/** A `bigint` whose property is a number. */
export function bigintColumn(options: Options = {}): PropertyDecorator {
  return Column({ ...options, type: 'bigint', transformer: SAFE_INTEGER });
}

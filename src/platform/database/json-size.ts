/** SQL: is a jsonb column's text longer than so many bytes? What is stored as it is need not be read for it; NULL is not. */
export function isLarger(column: string, bytes: number): string {
  return `coalesce(pg_column_size(${column}) > ${bytes}
    OR pg_column_compression(${column}) IS NOT NULL AND octet_length(${column}::text) > ${bytes}, false)`;
}

/** SQL: about how long a jsonb column's text is, in bytes; 0 for NULL. What is stored as it is need not be read for it. */
export function bytesOf(column: string): string {
  return `coalesce(CASE WHEN pg_column_compression(${column}) IS NULL THEN pg_column_size(${column})
    ELSE octet_length(${column}::text) END, 0)`;
}

/** SQL: is a jsonb column's text longer than so many bytes? What is stored as it is need not be read for it; NULL is not. */
export function isLarger(column: string, bytes: number): string {
  return `coalesce(pg_column_size(${column}) > ${bytes}
    OR pg_column_compression(${column}) IS NOT NULL AND octet_length(${column}::text) > ${bytes}, false)`;
}

/**
 * A named SQL text. The name is the prepared statement's name on each connection, so one name always means one text;
 * it also labels the statement in logs.
 */
export interface Sql {
  readonly name: string;
  readonly text: string;
}

/** A named SQL text with its values, ready to be sent. */
export interface Statement extends Sql {
  readonly values?: readonly unknown[];
}

/** A row as the driver gives it: times are ISO 8601 strings with milliseconds, bigint is a number. */
export type Row = Readonly<Record<string, unknown>>;

import type { Transaction } from '../../platform/database/transactor.js';
import { sizeOf, type StageSource } from '../stage-inputs.js';
import type { StageDefinition, WorkflowKey } from './workflow-rows.js';

const INPUT_DATA = {
  name: 'workflow-input-data',
  text: 'SELECT w.input_data FROM workflows w WHERE w.id = $1 AND w.project_id = $2',
};

const STAGES =
  'FROM workflow_stages s WHERE s.workflow_id = $1 AND s.project_id = $2 AND s.name = ANY($3::text[])';
const DEFINITIONS = { name: 'workflow-definitions', text: `SELECT s.name, s.definition AS value ${STAGES}` };
const OUTPUT_SIZES = {
  name: 'workflow-output-sizes',
  text: `SELECT s.name, octet_length(s.output::text) AS value ${STAGES} AND s.output IS NOT NULL`,
};
const OUTPUTS = { name: 'workflow-outputs', text: `SELECT s.name, s.output AS value ${STAGES}` };

/** @param fresh what stages have just given, and is not in their rows yet */
export function storedSource(
  tx: Transaction,
  { id, projectId }: WorkflowKey,
  fresh: ReadonlyMap<string, unknown>,
): StageSource {
  let inputData: Promise<unknown> | undefined;
  const read = async <T>(sql: typeof OUTPUTS, names: readonly string[]): Promise<[string, T][]> => {
    if (names.length === 0) return [];
    const rows = await tx.query<{ name: string; value: T }>(sql, [id, projectId, names]);
    return rows.map(({ name, value }) => [name, value]);
  };
  const stored = (names: readonly string[]): string[] => names.filter((name) => !fresh.has(name));
  const given = (names: readonly string[]): string[] => names.filter((name) => fresh.has(name));
  return {
    inputData: () =>
      (inputData ??= tx
        .query<{ input_data: unknown }>(INPUT_DATA, [id, projectId])
        .then(([row]) => row?.input_data ?? null)),
    definitions: async (names) => new Map(await read<StageDefinition>(DEFINITIONS, names)),
    outputSizes: async (names) =>
      new Map([
        ...(await read<number>(OUTPUT_SIZES, stored(names))),
        ...given(names).map((name): [string, number] => [name, sizeOf(fresh.get(name))]),
      ]),
    outputs: async (names) =>
      new Map([
        ...(await read<unknown>(OUTPUTS, stored(names))),
        ...given(names).map((name): [string, unknown] => [name, fresh.get(name)]),
      ]),
  };
}

// What a claim costs where there are few rows, a million finished ones, or a million queued for others: three databases,
// a server on each, measured in turn.
import { TASK } from '../work.mjs';
import { difference, figuresOf } from '../windows.mjs';

const TYPE = 'claimed';
/** Claimed one by one, then reported together. */
const AT_ONCE = 50;
const LIMIT = 1.5;

/** Copies of a task that is there, each with an id and an age of its own. */
const MULTIPLY = (columns) => `
  INSERT INTO tasks (id, vtime, ${columns})
  SELECT uuidv7()::text, t.vtime + n, ${columns} FROM tasks t, generate_series(1, $2::int) AS n WHERE t.id = $1`;

class Place {
  constructor(bed, database, server, agent) {
    Object.assign(this, { bed, database, server, agent, windows: [] });
  }

  static async open(bed, database) {
    const server = await bed.startServer(database);
    const place = new Place(bed, database, server, await server.agent(TYPE));
    place.agentApi = server.as(place.agent);
    return place;
  }

  /** So many copies of a task of this type, as it is when its agent, if there is one, has completed it. */
  async fill(type, count, { finished }) {
    const { id } = await this.server.api.post('/tasks', { ...TASK, type });
    if (finished) await this.turn([]);
    const columns = await this.bed.query(
      `SELECT string_agg(attname, ', ') AS names FROM pg_attribute WHERE attrelid = 'tasks'::regclass
       AND attnum > 0 AND NOT attisdropped AND attname NOT IN ('id', 'vtime')`,
      [],
      this.database,
    );
    await this.bed.query(MULTIPLY(columns[0].names), [id, count], this.database);
    await this.bed.query('VACUUM (ANALYZE)', [], this.database);
    await this.bed.query('CHECKPOINT', [], this.database);
  }

  /** Claims until there is nothing more, timing each into `latencies`, and reports. */
  async turn(latencies) {
    const reports = [];
    for (;;) {
      const startedAt = performance.now();
      const { items } = await this.agentApi.post(`/agents/${this.agent.id}/claim`, { max_tasks: 1 });
      if (items.length === 0) break;
      latencies.push(performance.now() - startedAt);
      const [{ id, lease_token: fence }] = items;
      reports.push({ task_id: id, status: 'completed', lease_token: fence });
    }
    await this.agentApi.post(`/agents/${this.agent.id}/reports`, { reports });
  }

  async window(seconds) {
    const latencies = [];
    const cpu = () => this.bed.cpu([process.pid], this.server);
    const before = cpu();
    const startedAt = performance.now();
    const tasks = Array.from({ length: AT_ONCE }, () => ({ ...TASK, type: TYPE }));
    while (performance.now() - startedAt < seconds * 1000) {
      await this.server.api.post('/tasks/batch', { tasks });
      await this.turn(latencies);
    }
    const tookMs = performance.now() - startedAt;
    return { latencies, tookMs, cpuMs: difference(cpu(), before) };
  }
}

async function run(bed, pace) {
  const few = await Place.open(bed, 'claims_few');
  const finished = await Place.open(bed, 'claims_finished');
  const queued = await Place.open(bed, 'claims_queued');
  await few.fill(TYPE, 1000, { finished: true });
  await finished.fill(TYPE, pace.manyRows, { finished: true });
  await queued.fill('for_others', pace.manyRows, { finished: false });
  const places = [few, finished, queued];
  for (const place of places) await place.window(Math.min(pace.warmUp.atMost, 5));
  for (let n = 0; n < pace.times; n += 1) {
    for (const place of places) place.windows.push(await place.window(pace.seconds));
  }
  const [base, ...others] = places.map(({ windows }) => figuresOf(windows));
  return [
    { name: 'claims-1000-finished', ...base },
    ...others.map((figures, index) => {
      const name = `claims-${pace.manyRows}-${['finished', 'queued'][index]}`;
      const what = 'p50 of a claim ÷ that at 1,000 rows';
      return { name, ...figures, targets: [{ what, value: figures.p50 / base.p50, atMost: LIMIT }] };
    }),
  ];
}

const about = 'one claim after the other; rate and CPU with the batches that create and report';
export const CLAIMS = [{ name: 'claims', about, run }];

import { rmSync } from 'node:fs';

export default async function tearDown() {
  const { postgres, dataDir } = globalThis.parleyTestPostgres;
  await postgres.stop();
  rmSync(dataDir, { recursive: true, force: true });
}

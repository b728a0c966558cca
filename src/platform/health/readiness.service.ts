import { Injectable } from '@nestjs/common';
import { Drain } from './drain.service.js';

/** Resolves when the thing works; what it rejects with is not shown. */
export type ReadinessCheck = () => Promise<unknown>;

export interface ReadinessReport {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, 'ok' | 'failed'>>;
}

const PATIENCE_MS = 2_000;

/** What must work before this server should be sent requests. Whoever owns such a thing adds it here. */
@Injectable()
export class Readiness {
  private readonly checks = new Map<string, ReadinessCheck>();

  constructor(private readonly drain: Drain) {
    this.add('accepting', () =>
      this.drain.started ? Promise.reject(new Error('draining')) : Promise.resolve(),
    );
  }

  add(name: string, check: ReadinessCheck): void {
    this.checks.set(name, check);
  }

  /** Every check, at the same time, 2 s each at most. */
  async report(): Promise<ReadinessReport> {
    const results = await Promise.all(
      [...this.checks].map(async ([name, check]) => [name, (await works(check)) ? 'ok' : 'failed'] as const),
    );
    return { ready: results.every(([, result]) => result === 'ok'), checks: Object.fromEntries(results) };
  }
}

async function works(check: ReadinessCheck): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), PATIENCE_MS);
  });
  const result = check().then(
    () => true,
    () => false,
  );
  return Promise.race([result, tooLong]).finally(() => clearTimeout(timer));
}

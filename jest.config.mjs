// Two projects: unit specs sit beside the pure files they test and start nothing;
// integration specs start a real Postgres, and the built server where they test processes.
const swc = {
  sourceMaps: 'inline',
  module: { type: 'es6' },
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
    keepClassNames: true,
  },
};

const common = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '^.+\\.(t|m?j)s$': ['@swc/jest', swc] },
  // Fastify's inject loads these two through require().
  transformIgnorePatterns: ['/node_modules/(?!(cookie|content-disposition)/)'],
};

export default {
  projects: [
    { ...common, displayName: 'unit', testMatch: ['<rootDir>/{src,config}/**/*.spec.ts'] },
    {
      ...common,
      displayName: 'integration',
      testMatch: ['<rootDir>/test/**/*.spec.ts'],
      globalSetup: '<rootDir>/test/support/global-setup.mjs',
      globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
    },
  ],
  testTimeout: 60000,
  maxWorkers: 2,
  // Modules of a file that has ended stay in memory: a worker that has grown too much makes room for a new one.
  workerIdleMemoryLimit: '1GB',
};

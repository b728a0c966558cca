// The long scenarios, one after the other: npm run test:chaos [-- <part of a file's name>]
import config from '../../jest.config.mjs';

const { displayName: _name, globalSetup: _setup, globalTeardown: _teardown, ...common } = config.projects[1];

export default {
  ...common,
  rootDir: '../..',
  testMatch: ['<rootDir>/test/chaos/**/*.chaos.ts'],
  testTimeout: 900_000,
  maxWorkers: 1,
};

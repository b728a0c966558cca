// `npm test`, counted. Test files that failed are run once more, by themselves, and it is said which: real processes on a
// busy machine may be late, and a defect fails twice. Usage: node .ci/tests.mjs <file for "passed failed">
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = mkdtempSync(join(tmpdir(), 'parley-tests-'));
try {
  let { passed, failed, files } = run([]);
  if (failed > 0 && files.length > 0) {
    console.log(`\n== ONCE MORE, alone, since they failed: ${files.join(' ')}`);
    const again = run(['--maxWorkers=1', '--runTestsByPath', ...files]);
    passed += again.passed;
    failed = again.failed;
  }
  writeFileSync(process.argv[2], `${passed} ${failed}\n`);
  process.exitCode = failed === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Passed counts the tests of the files that passed; a file that cannot be loaded, and a runner that fails, is one failure. */
function run(options) {
  const out = join(folder, 'jest.json');
  rmSync(out, { force: true });
  const { status } = spawnSync('npm', ['test', '--', '--json', `--outputFile=${out}`, ...options], {
    stdio: 'inherit',
  });
  if (!existsSync(out)) return { passed: 0, failed: 1, files: [] };
  const result = JSON.parse(readFileSync(out, 'utf8'));
  const files = result.testResults.filter((file) => file.status === 'failed');
  const good = result.testResults.filter((file) => file.status !== 'failed');
  const passed = good
    .flatMap((file) => file.assertionResults)
    .filter((test) => test.status === 'passed').length;
  const failed = files.reduce(
    (sum, file) => sum + Math.max(1, file.assertionResults.filter((test) => test.status === 'failed').length),
    0,
  );
  return {
    passed,
    failed: status === 0 ? failed : Math.max(1, failed),
    files: files.map((file) => file.name),
  };
}

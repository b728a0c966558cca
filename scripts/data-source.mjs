// The data source for TypeORM's command line, over the built server and the database it would use, for example
//   node node_modules/typeorm/cli.js migration:generate migrations/what --esm -d scripts/data-source.mjs
// What it starts for that ends with it.
import { AppConfig } from '../dist/config/app-config.js';
import { createDataSource } from '../dist/config/data-source.js';
import { openPostgres } from '../dist/src/platform/database/open-postgres.js';

const { connection } = await openPostgres(new AppConfig(), console.error);

export default createDataSource(connection.direct('typeorm'));

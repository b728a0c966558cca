import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AppConfig, ConfigError } from '../../config/app-config.js';
import { newId } from '../platform/new-id.js';
import { ClientsRepository } from './clients.repository.js';
import { hashSecret, newCredential } from './credentials.js';

interface AdminCredentials {
  readonly client_id: string;
  readonly client_secret: string;
}

/**
 * Sees to it that somebody can log in: the admin of PARLEY_ADMIN_CLIENT_ID and _SECRET, or, on the embedded default, one
 * that is made once and kept in a file beside the database.
 */
@Injectable()
export class FirstAdmin implements OnModuleInit {
  constructor(
    private readonly config: AppConfig,
    private readonly clients: ClientsRepository,
  ) {}

  /** The file that holds the admin's credentials; undefined where the environment does. */
  get file(): string | undefined {
    return this.config.env.PARLEY_ADMIN_CLIENT_SECRET === undefined
      ? join(this.config.dataDir, 'admin.json')
      : undefined;
  }

  /** @throws ConfigError when the client id belongs to somebody else */
  async onModuleInit(): Promise<void> {
    const { client_id, client_secret } = await this.credentials();
    if (await this.clients.upsertAdmin(client_id, hashSecret(client_secret))) return;
    throw new ConfigError(
      `PARLEY_ADMIN_CLIENT_ID must not be '${client_id}': that is a client which is no admin.`,
    );
  }

  private async credentials(): Promise<AdminCredentials> {
    const { PARLEY_ADMIN_CLIENT_ID: client_id, PARLEY_ADMIN_CLIENT_SECRET: client_secret } = this.config.env;
    if (client_secret !== undefined) return { client_id, client_secret };
    const file = join(this.config.dataDir, 'admin.json');
    return (await read(file)) ?? (await keep(file, { client_id, client_secret: newCredential().secret }));
  }
}

/** Writes the file whole or not at all, for its owner only; of two first starts one wins and both go by it. */
async function keep(file: string, credentials: AdminCredentials): Promise<AdminCredentials> {
  const draft = `${file}.${newId()}`;
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(draft, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600, flush: true });
  try {
    await link(draft, file);
    return credentials;
  } catch (error) {
    const winner = await read(file);
    if (winner === undefined) throw error;
    return winner;
  } finally {
    await rm(draft);
  }
}

async function read(file: string): Promise<AdminCredentials | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT')
      return undefined;
    throw error;
  }
  return parse(text) ?? refuse(file);
}

function parse(text: string): AdminCredentials | undefined {
  try {
    const { client_id, client_secret } = Object(JSON.parse(text)) as Record<string, unknown>;
    return typeof client_id === 'string' && typeof client_secret === 'string'
      ? { client_id, client_secret }
      : undefined;
  } catch {
    return undefined;
  }
}

function refuse(file: string): never {
  throw new ConfigError(
    `${file} does not hold client_id and client_secret; remove it and a new admin is made.`,
  );
}

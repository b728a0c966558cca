import { type FieldError, validationFailed } from '../../shared/domain-error.js';
import { isWebUrl } from '../../shared/web-url.js';
import type { AgentProfile } from './agent.js';

/** What a single claim may ask for: an agent that says nothing is limited by what it asks for alone. */
const DEFAULT_CAPACITY = 100;
const MAX_CAPACITY = 1000;

/**
 * Tasks an agent may hold at once: `configuration.max_concurrent_tasks`, 1 to 1000, default 100.
 * The rest of the configuration is the agent's own.
 */
export function capacityOf(configuration: AgentProfile['configuration']): number {
  const wanted = configuration['max_concurrent_tasks'];
  return typeof wanted === 'number' ? wanted : DEFAULT_CAPACITY;
}

/** Checks what types cannot say. @throws DomainError VALIDATION_FAILED with every violation */
export function assertProfile({ configuration, health_check_url: url }: Partial<AgentProfile>): void {
  const errors: FieldError[] = [];
  const wanted = configuration?.['max_concurrent_tasks'];
  if (wanted !== undefined && !isCapacity(wanted)) {
    errors.push({
      path: '/configuration/max_concurrent_tasks',
      message: `must be a whole number from 1 to ${MAX_CAPACITY}`,
    });
  }
  if (typeof url === 'string' && !isWebUrl(url)) {
    errors.push({ path: '/health_check_url', message: 'must be an http or https URL without credentials' });
  }
  if (errors.length > 0) throw validationFailed(errors);
}

function isCapacity(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_CAPACITY;
}

/** Which fields of a profile would become others, in the order they are named. */
export function changedFields(before: AgentProfile, edit: Partial<AgentProfile>): string[] {
  const present: Readonly<Record<string, unknown>> = { ...before };
  return Object.entries(edit)
    .filter(([name, value]) => value !== undefined && !isSame(present[name], value))
    .map(([name]) => name);
}

/** Equal as JSON, whatever the order of the keys: jsonb keeps none. */
function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [Object.entries(a), new Map(Object.entries(b))];
  return left.length === right.size && left.every(([key, value]) => isSame(value, right.get(key)));
}

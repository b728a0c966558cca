import type { Report } from './report.js';
import type { Agent, DependencyEnd, Proof, TaskCommand, TaskCourse } from './task-courses.js';
import type { EndedAttempt, Priority, TaskStatus } from './task.js';

/** `ok`, `nothing` for a claim in vain, or the code of a refusal. */
type Answer = 'ok' | 'nothing' | 'STALE_LEASE' | 'FORBIDDEN' | 'INVALID_TRANSITION' | 'DEPENDENCY_NOT_MET';

const OK: readonly Answer[] = ['ok'];
const REFUSED: readonly Answer[] = ['INVALID_TRANSITION'];
/** Nobody holds it: a report is too late, in one word or the other. */
const OVER: readonly Answer[] = ['STALE_LEASE', 'INVALID_TRANSITION'];

/**
 * One task in memory, by the rules as clients read them, and by nothing of what keeps them: the pure decisions are held
 * against it, and so is the service.
 */
export class TaskInMemory {
  status: TaskStatus;
  /** Whom it is shown with: who has it or had it last, or who alone may take it. */
  agent: Agent | null;
  priority: Priority = 'normal';
  progress: number | null = null;
  output: unknown = null;
  error: { readonly code: string; readonly attempt?: number } | null = null;
  readonly attempts: { readonly by: Agent; outcome: EndedAttempt['outcome'] | null }[] = [];
  readonly events = ['task.created'];
  private dependency: 'open' | DependencyEnd;
  private isOffered: boolean;
  private isDue = true;
  private isRedriven = false;
  /** Attempts that count. */
  private spent = 0;
  /** Who takes its own task by starting it is told no token. */
  private isTokenTold = false;

  constructor(private readonly course: TaskCourse) {
    this.dependency = course.dependency === 'none' ? 'completed' : 'open';
    this.status = this.dependency === 'open' ? 'blocked' : 'queued';
    this.isOffered = this.status === 'queued';
    this.agent = this.onlyTaker;
  }

  /** @returns the answers that the command may get; where it is not `ok` alone, nothing has changed */
  give(command: TaskCommand): readonly Answer[] {
    switch (command.kind) {
      case 'claim':
        return this.claim(command.by);
      case 'report':
        return this.report(command.by, command.proof, command.told);
      case 'edit':
        return this.edit(command);
      case 'end_dependency':
        return this.endDependency(command.as);
      case 'cancel':
        return this.cancel();
      case 'retry':
        return this.retry();
      case 'lose_lease':
        // One that was started lives on with its agent.
        if (this.status === 'assigned') this.lose('lease_expired', 'LEASE_EXPIRED');
        return OK;
      case 'time_out':
        if (this.isHeld) this.lose('timed_out', 'TASK_TIMEOUT');
        return OK;
    }
  }

  get attempt(): number {
    return this.attempts.length;
  }

  /** What clients see of it. */
  get shown() {
    const { status, agent, priority, attempt, progress, output, error, attempts, events } = this;
    return { status, agent, priority, attempt, progress, output, error, attempts, events };
  }

  private get isHeld(): boolean {
    return this.status === 'assigned' || this.status === 'in_progress';
  }

  private get onlyTaker(): Agent | null {
    return this.course.isReserved ? 'first' : null;
  }

  private claim(by: Agent): readonly Answer[] {
    if (!this.isOffered || (this.course.isReserved && by !== 'first')) return ['nothing'];
    this.take(by);
    this.isTokenTold = true;
    return OK;
  }

  private report(by: Agent, proof: Proof, told: Report): readonly Answer[] {
    if (!this.holds(proof)) return ['STALE_LEASE'];
    const waits = this.status === 'queued' || this.status === 'blocked';
    if (waits && proof === 'nothing' && told.status === 'in_progress' && by === this.onlyTaker) {
      if (this.status === 'blocked') return ['DEPENDENCY_NOT_MET'];
      this.take(by);
      this.isTokenTold = false;
    }
    if (!this.isHeld) return proof === 'nothing' && by !== this.agent ? OVER : this.late(told);
    if (proof !== 'token' && by !== this.agent) return ['FORBIDDEN'];
    this.hear(told);
    return OK;
  }

  private holds(proof: Proof): boolean {
    if (proof === 'nothing') return true;
    return this.attempt > 0 && (proof === 'attempt' || (proof === 'token' && this.isTokenTold));
  }

  /** The report that ended the last attempt is answered again, unless somebody has redriven or cancelled it since. */
  private late({ status }: Report): readonly Answer[] {
    const outcome = this.attempts.at(-1)?.outcome;
    const isAsLeft = !this.isRedriven && this.status !== 'cancelled';
    if (isAsLeft && outcome === (status === 'queued' ? 'handed_back' : status)) return OK;
    // To hand back what waits already does no harm; it may be said so.
    const waits = status === 'queued' && this.status === 'queued' && this.attempt > 0;
    return waits ? ['ok', ...OVER] : OVER;
  }

  private hear({ status, progress, output_data: output, error }: Report): void {
    if (progress !== undefined) this.progress = progress;
    if (output !== undefined) this.output = output;
    if (status === 'failed') {
      const isLast = error?.retryable === false || error?.code === 'LISTED';
      this.lose('failed', error?.code ?? '', isLast);
    } else if (status === 'queued') {
      this.spent -= 1;
      this.close('handed_back');
      this.offer('task.queued');
    } else if (status === 'completed') {
      this.close('completed');
      this.error = null;
      this.progress = 100;
      this.end('completed');
    } else this.start(progress !== undefined);
  }

  private start(isProgressTold: boolean): void {
    const isFirst = this.status === 'assigned';
    if (isFirst) this.events.push('task.started');
    if (!isFirst || isProgressTold) this.events.push('task.progress');
    this.status = 'in_progress';
  }

  private edit({ priority, not_before: notBefore }: TaskCommand & { kind: 'edit' }): readonly Answer[] {
    if (this.status !== 'queued' && this.status !== 'blocked') return REFUSED;
    this.priority = priority ?? this.priority;
    if (notBefore !== undefined) {
      this.isDue = notBefore < '2050';
      this.isOffered = this.isDue && this.status === 'queued';
    }
    this.events.push('task.updated');
    return OK;
  }

  private endDependency(as: DependencyEnd): readonly Answer[] {
    if (this.dependency !== 'open') return OK;
    this.dependency = as;
    if (this.status !== 'blocked') return OK;
    if (as === 'completed' || this.course.dependency === 'run') {
      this.offer('task.queued');
      this.isOffered = this.isDue;
    } else {
      this.error = { code: 'DEPENDENCY_NOT_MET' };
      this.end('failed');
    }
    return OK;
  }

  private cancel(): readonly Answer[] {
    if (this.status === 'cancelled') return OK;
    if (this.status === 'completed' || this.status === 'failed') return REFUSED;
    if (this.isHeld) this.close('cancelled');
    this.end('cancelled');
    return OK;
  }

  private retry(): readonly Answer[] {
    if (this.status !== 'failed' && this.status !== 'cancelled') return REFUSED;
    const isMet =
      this.dependency === 'completed' || (this.course.dependency === 'run' && this.dependency !== 'open');
    if (!isMet) return ['DEPENDENCY_NOT_MET'];
    this.spent = 0;
    this.error = null;
    this.output = null;
    this.isRedriven = true;
    this.offer('task.queued');
    return OK;
  }

  private take(by: Agent): void {
    this.attempts.push({ by, outcome: null });
    this.spent += 1;
    this.agent = by;
    this.status = 'assigned';
    this.isOffered = false;
    this.isRedriven = false;
    this.events.push('task.assigned');
  }

  private lose(outcome: EndedAttempt['outcome'], code: string, isLast = false): void {
    this.close(outcome);
    this.error = { code, attempt: this.attempt };
    if (isLast || this.spent >= this.course.attempts) this.end('failed');
    else this.offer('task.retrying');
  }

  private close(outcome: EndedAttempt['outcome']): void {
    const attempt = this.attempts.at(-1);
    if (attempt !== undefined) attempt.outcome = outcome;
  }

  private offer(event: string): void {
    this.status = 'queued';
    this.agent = this.onlyTaker;
    this.progress = null;
    this.isOffered = true;
    this.events.push(event);
  }

  private end(status: DependencyEnd | 'failed'): void {
    this.status = status;
    this.isOffered = false;
    this.events.push(`task.${status}`);
  }
}

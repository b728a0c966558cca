import { Injectable } from '@nestjs/common';
import { loggedRefusal } from '../platform/http/logged-refusal.js';
import type { Patience } from '../platform/http/patience.js';
import { notFound, type ErrorDetails } from '../shared/domain-error.js';
import { ANY_PROJECT } from '../shared/ids.js';
import { onlyProject } from '../shared/only-project.js';
import type { AgentKey } from '../agents/index.js';
import { ClaimsService } from './claims.service.js';
import { TaskReads } from './task-reads.service.js';
import { taskView, type ClaimedTask, type TaskView } from './task-view.js';
import { TasksService, type FencedReport } from './tasks.service.js';

/** One report of several. */
export interface NamedReport extends FencedReport {
  readonly task_id: string;
  /** Where the task is, for agents that serve all projects; else it is looked up. */
  readonly project_id?: string;
}

export type ReportAnswer =
  | { readonly task_id: string; readonly ok: true; readonly task: TaskView }
  | {
      readonly task_id: string;
      readonly ok: false;
      readonly error: { code: string; message: string; details: ErrorDetails };
    };

/** Many reports in one call, and the next claim with them: they share a batch, so the claim sees the freed capacity. */
@Injectable()
export class ReportsService {
  constructor(
    private readonly tasks: TasksService,
    private readonly claims: ClaimsService,
    private readonly reads: TaskReads,
  ) {}

  /** @param key the agent that reports; who calls for it was checked before */
  async take(
    key: AgentKey,
    reports: readonly NamedReport[],
    claim: { readonly max: number; readonly sessionEpoch?: number } | undefined,
    request: { readonly bytes: number; readonly correlationId: string; readonly patience: Patience },
  ): Promise<{ items: ReportAnswer[]; claimed?: ClaimedTask[] }> {
    const { patience, correlationId } = request;
    const bytes = Math.ceil(request.bytes / reports.length);
    const unplaced = reports.filter(
      (report) => key.projectId === ANY_PROJECT && report.project_id === undefined,
    );
    const projects = await this.reads.projectsOf(unplaced.map((report) => report.task_id));
    // Submitted in one go, the claim last: it sees the capacity that the reports free.
    const answers = reports.map((report) =>
      this.one(key, report, projects.get(report.task_id) ?? [], { bytes, correlationId }),
    );
    const claimed = claim === undefined ? undefined : this.claims.now(key, { ...claim, waitMs: 0 }, patience);
    const [items, next] = await Promise.all([Promise.all(answers), claimed]);
    return next === undefined ? { items } : { items, claimed: next.items };
  }

  private async one(
    key: AgentKey,
    { task_id: id, project_id: named, ...told }: NamedReport,
    found: readonly string[],
    { bytes, correlationId }: { readonly bytes: number; readonly correlationId: string },
  ): Promise<ReportAnswer> {
    try {
      const place = { id, projectId: projectOf(key, id, named, found) };
      const actor = { agentId: key.id, projectId: key.projectId };
      const task = await this.tasks.report(place, told, actor, bytes);
      return { task_id: id, ok: true, task: taskView(task) };
    } catch (error) {
      const { code, message, details } = loggedRefusal(error, correlationId);
      return { task_id: id, ok: false, error: { code, message, details } };
    }
  }
}

/** Where a reported task is. Another project does not exist for an agent that belongs to one. */
function projectOf(key: AgentKey, id: string, named: string | undefined, found: readonly string[]): string {
  if (key.projectId === ANY_PROJECT) return named ?? onlyProject('task', id, found);
  if (named !== undefined && named !== key.projectId) throw notFound('task', id);
  return key.projectId;
}

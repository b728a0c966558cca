import { Injectable } from '@nestjs/common';
import { toDomainError } from '../platform/http/error-mapping.js';
import type { ErrorDetails } from '../shared/domain-error.js';
import { ClaimsService, type AgentKey } from './claims.service.js';
import { taskView, type ClaimedTask, type TaskView } from './task-view.js';
import { TasksService, type FencedReport } from './tasks.service.js';

/** One report of several, with the task's project as it is known, or undefined: the agent's own. */
export interface NamedReport extends FencedReport {
  readonly task_id: string;
  readonly projectId: string;
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
  ) {}

  async take(
    key: AgentKey,
    asAgent: string | null,
    reports: readonly NamedReport[],
    claim: { readonly max: number; readonly sessionEpoch?: number } | undefined,
    bytes: number,
    gone: AbortSignal,
  ): Promise<{ items: ReportAnswer[]; claimed?: ClaimedTask[] }> {
    const each = Math.ceil(bytes / reports.length);
    const answers = reports.map((report) => this.one(key, asAgent, report, each));
    const claimed = claim === undefined ? undefined : this.claims.now(key, { ...claim, waitMs: 0 }, gone);
    const items = await Promise.all(answers);
    return claimed === undefined ? { items } : { items, claimed: await claimed };
  }

  private async one(
    key: AgentKey,
    asAgent: string | null,
    report: NamedReport,
    bytes: number,
  ): Promise<ReportAnswer> {
    const { task_id: id, projectId, ...told } = report;
    try {
      const task = await this.tasks.report(
        { id, projectId },
        told,
        { agentId: asAgent, projectId: key.projectId },
        bytes,
      );
      return { task_id: id, ok: true, task: taskView(task) };
    } catch (error) {
      const { code, message, details } = toDomainError(error);
      return { task_id: id, ok: false, error: { code, message, details } };
    }
  }
}

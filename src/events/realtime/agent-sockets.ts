import { Injectable } from '@nestjs/common';
import { rowKey } from '../../shared/ids.js';
import type { Session } from './session.js';

/** The sockets that agents have open in this process. */
@Injectable()
export class AgentSockets {
  private readonly sessions = new Map<string, Set<Session>>();

  add(session: Session): void {
    const { agentId, projectId } = session.caller;
    if (agentId === null) return;
    const key = rowKey(projectId, agentId);
    const sessions = this.sessions.get(key) ?? new Set();
    sessions.add(session);
    this.sessions.set(key, sessions);
    session.onClose(() => {
      sessions.delete(session);
      if (sessions.size === 0) this.sessions.delete(key);
    });
  }

  of(projectId: string, agentId: string): ReadonlySet<Session> {
    return this.sessions.get(rowKey(projectId, agentId)) ?? new Set();
  }
}

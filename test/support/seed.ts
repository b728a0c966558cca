/** The seed's message, as printed. */
export const MESSAGE = {
  id: 'msg-001',
  timestamp: '2025-01-15T12:00:00Z',
  event_type: 'task.progress',
  source_agent: 'agent-001',
  target_agent: 'orchestrator-001',
  correlation_id: 'workflow-123',
  payload: {
    task_id: 'task-001',
    progress: 75,
    status: 'in_progress',
    details: { current_operation: 'generating_tests', files_processed: 45, estimated_remaining_time: 120 },
  },
};

import { ApiProperty } from '@nestjs/swagger';
import { ERROR_STATUS } from '../../shared/error-codes.js';

class ErrorFacts {
  @ApiProperty({
    description: 'Stable, for programs.',
    enum: Object.keys(ERROR_STATUS),
    example: 'NOT_FOUND',
  })
  code: string;

  @ApiProperty({ description: 'For people.' })
  message: string;

  @ApiProperty({ description: 'Facts that belong to the code.', type: 'object', additionalProperties: true })
  details: Record<string, unknown>;

  @ApiProperty({ description: 'The X-Correlation-Id of the answer; the log knows it.' })
  correlation_id: string;

  @ApiProperty({ format: 'date-time', type: 'string' })
  timestamp: string;
}

/** The envelope of every failure, as OpenAPI shows it. */
export class ErrorResponse {
  @ApiProperty({ type: () => ErrorFacts })
  error: ErrorFacts;
}

/** The same facts for `Accept: application/problem+json` (RFC 9457). */
export class ProblemResponse extends ErrorFacts {
  @ApiProperty({ example: 'urn:parley:error:NOT_FOUND' })
  type: string;

  @ApiProperty({ example: 'Not Found' })
  title: string;

  @ApiProperty({ description: 'The HTTP status.', type: 'integer', example: 404 })
  status: number;

  @ApiProperty({ description: 'For people; the same as `message`.' })
  detail: string;

  @ApiProperty({ description: 'The path that was called.', example: '/api/v1/tasks/task-001' })
  instance: string;
}

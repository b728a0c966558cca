import { ApiProperty } from '@nestjs/swagger';

class ErrorFacts {
  @ApiProperty({ description: 'Stable, for programs.', example: 'NOT_FOUND' })
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

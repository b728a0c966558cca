import { BadRequestException, HttpException, InternalServerErrorException } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { DomainError } from '../../shared/domain-error.js';
import { errorBody, problemBody } from './error-body.js';
import { toDomainError } from './error-mapping.js';

const fastifyError = (code: string, statusCode: number): Error =>
  Object.assign(new Error('x'), { code, statusCode });
const postgresError = (code: string): Error => Object.assign(new Error('x'), { code, severity: 'FATAL' });

describe('whatever is thrown', () => {
  it.each<[string, unknown, string]>([
    ['a refusal stays itself', new DomainError('STALE_LEASE', 'old'), 'STALE_LEASE'],
    ['a bad request of Nest', new BadRequestException('no'), 'VALIDATION_FAILED'],
    ['a teapot', new HttpException('no', 418), 'VALIDATION_FAILED'],
    ['a defect that Nest named', new InternalServerErrorException('secret'), 'INTERNAL_ERROR'],
    ['a body that is too large', fastifyError('FST_ERR_CTP_BODY_TOO_LARGE', 413), 'PAYLOAD_TOO_LARGE'],
    ['a body of another type', fastifyError('FST_ERR_CTP_INVALID_MEDIA_TYPE', 415), 'UNSUPPORTED_MEDIA_TYPE'],
    ['a URL that cannot be decoded', fastifyError('FST_ERR_BAD_URL', 400), 'VALIDATION_FAILED'],
    ['an unknown refusal of Fastify', fastifyError('FST_ERR_NEW', 404), 'NOT_FOUND'],
    [
      'a Postgres that refuses connections',
      Object.assign(new Error('x'), { code: 'ECONNREFUSED' }),
      'SERVICE_UNAVAILABLE',
    ],
    [
      'a Postgres whose socket is gone',
      Object.assign(new Error('x'), { code: 'ENOENT' }),
      'SERVICE_UNAVAILABLE',
    ],
    ['a Postgres that was stopped', postgresError('57P01'), 'SERVICE_UNAVAILABLE'],
    ['a Postgres that starts up', postgresError('57P03'), 'SERVICE_UNAVAILABLE'],
    ['a broken statement', postgresError('42P01'), 'INTERNAL_ERROR'],
    ['a broken program', new TypeError('x is not a function'), 'INTERNAL_ERROR'],
    ['a thing that is no error', 'oops', 'INTERNAL_ERROR'],
    ['nothing', undefined, 'INTERNAL_ERROR'],
  ])('%s', (_, thrown, code) => {
    expect(toDomainError(thrown).code).toBe(code);
  });

  it('a defect tells nothing of itself', () => {
    const shown = JSON.stringify(errorBody(toDomainError(new Error('SELECT secret FROM /home/x')), 'c-1'));
    expect(shown).not.toMatch(/SELECT|home/);
  });
});

describe('the envelope', () => {
  it('has the five facts of the contract', () => {
    expect(errorBody(new DomainError('CONFLICT', 'taken', { id: 't-1' }), 'c-1')).toEqual({
      error: {
        code: 'CONFLICT',
        message: 'taken',
        details: { id: 't-1' },
        correlation_id: 'c-1',
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      },
    });
  });

  it('says when to come back where that may help', () => {
    expect(errorBody(new DomainError('SERVICE_UNAVAILABLE', 'x'), 'c').error.details).toEqual({
      retry_after: 1,
    });
    expect(
      errorBody(new DomainError('AGENT_UNAVAILABLE', 'x', { retry_after: 60 }), 'c').error.details,
    ).toEqual({
      retry_after: 60,
    });
  });

  it('tells the same facts as a problem of RFC 9457', () => {
    const body = errorBody(new DomainError('NOT_FOUND', 'gone', { task_id: 't' }), 'c-1');
    expect(problemBody(body, 404, '/api/v1/tasks/t')).toEqual({
      type: 'urn:parley:error:NOT_FOUND',
      title: 'Not Found',
      status: 404,
      detail: 'gone',
      instance: '/api/v1/tasks/t',
      ...body.error,
    });
  });
});

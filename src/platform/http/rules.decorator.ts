import { ApiExtension } from '@nestjs/swagger';

export const RULES = 'x-rules';

/**
 * Says what a request must keep beyond what its schema can tell ("a dependency exists"): it stands in the description, and
 * the fuzzer knows by it that a request of the right shape may be refused.
 */
export function Rules(...rules: [string, ...string[]]): MethodDecorator {
  return ApiExtension(RULES, rules);
}

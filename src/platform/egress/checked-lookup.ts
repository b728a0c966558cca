import { lookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { promisify } from 'node:util';
import type { AddressPolicy } from './address-policy.js';
import { EgressError } from './egress.port.js';

/** All addresses of a name. */
export type Resolver = (host: string) => Promise<readonly LookupAddress[]>;

const lookupAll = promisify(lookup);

/** As any program of this machine would resolve it: /etc/hosts, search domains and all. */
export const systemResolver: Resolver = (host) => lookupAll(host, { all: true });

/** A host that is an address is never looked up. @throws EgressError when it is one that is not allowed */
export function assertHost(hostname: string, policy: AddressPolicy): void {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !policy.admits(host)) throw forbidden(hostname);
}

/** What a connection asks for the addresses of its host: it gets none unless all of them are allowed. */
export function checkedLookup(resolve: Resolver, policy: AddressPolicy): LookupFunction {
  return (host, { all }, answer) => {
    const checked = async (): Promise<LookupAddress[]> => {
      const addresses = [...(await resolve(host))];
      if (!addresses.every(({ address }) => policy.admits(address))) throw forbidden(host);
      return addresses;
    };
    checked().then(
      (addresses) => {
        const [first] = addresses;
        if (first === undefined) answer(new EgressError('unresolved', `'${host}' has no address`), []);
        else if (all === true) answer(null, addresses);
        else answer(null, first.address, first.family);
      },
      (error: Error) => answer(error, []),
    );
  };
}

function forbidden(host: string): EgressError {
  const remedy = 'the operator can allow it with EGRESS_ALLOW';
  return new EgressError('refused', `'${host}' is not an address of the public internet; ${remedy}`);
}

import ipaddr from 'ipaddr.js';

/** Where IPv6 addresses of the public internet lie. What is outside, known or not, is not public. */
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR('2000::/3');

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Which addresses may be connected to: those of the public internet, and what the operator allows. */
export class AddressPolicy {
  private readonly allowed: readonly [Address, number][];

  /** @param allow CIDR blocks that may be connected to though they are not public */
  constructor(allow: readonly string[]) {
    this.allowed = allow.map((block) => ipaddr.parseCIDR(block));
  }

  /** @param text an address as the resolver or a URL's host gives it, without brackets */
  admits(text: string): boolean {
    if (!ipaddr.isValid(text)) return false;
    // An IPv4 address in IPv6 clothes is that IPv4 address.
    const address = ipaddr.process(text);
    return isPublic(address) || this.allowed.some((block) => isIn(address, block));
  }
}

function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast') return false;
  return address.kind() === 'ipv4' || isIn(address, GLOBAL_IPV6);
}

function isIn(address: Address, [base, bits]: [Address, number]): boolean {
  return address.kind() === base.kind() && address.match(base, bits);
}

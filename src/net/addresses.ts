/** Which IP addresses lie on the public internet, by IANA's special-purpose registries (RFC 6890 and later). */

import { BlockList, isIPv4, isIPv6 } from 'node:net'

/** IPv4 networks that are not for talking to strangers. */
const specialIPv4: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8], // this network
  ['10.0.0.0', 8], // private
  ['100.64.0.0', 10], // carrier-grade NAT; cloud metadata at 100.100.100.200
  ['127.0.0.0', 8], // loopback
  ['168.63.129.16', 32], // a cloud's host agent on an otherwise public address
  ['169.254.0.0', 16], // link-local; cloud metadata at 169.254.169.254
  ['172.16.0.0', 12], // private
  ['192.0.0.0', 24], // IETF protocols; cloud metadata at 192.0.0.192
  ['192.0.2.0', 24], // documentation
  ['192.88.99.0', 24], // 6to4 relays
  ['192.168.0.0', 16], // private
  ['198.18.0.0', 15], // benchmarks
  ['198.51.100.0', 24], // documentation
  ['203.0.113.0', 24], // documentation
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, broadcast
]

/** Parts of 2000::/3 that are not global unicast addresses of somebody's host. */
const specialIPv6: readonly (readonly [network: string, prefix: number])[] = [
  ['2001::', 23], // IETF protocols, Teredo
  ['2001:db8::', 32], // documentation
  ['2002::', 16], // 6to4
  ['3fff::', 20], // documentation
]

const blocked = new BlockList()
for (const [network, prefix] of specialIPv4) blocked.addSubnet(network, prefix, 'ipv4')
for (const [network, prefix] of specialIPv6) blocked.addSubnet(network, prefix, 'ipv6')
const globalUnicast = new BlockList()
globalUnicast.addSubnet('2000::', 3, 'ipv6')

/**
 * False for loopback, private, link-local, carrier-grade NAT, multicast, reserved and metadata addresses, and
 * for anything that is not an address. IPv4 inside IPv6 (`::ffff:0:0/96`, NAT64's `64:ff9b::/96`) is judged
 * by the IPv4 address.
 *
 * @param address IPv4, or IPv6 without brackets; a zone (`%eth0`) is passed over
 */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !blocked.check(address, 'ipv4')
  const [bare] = address.split('%')
  if (bare === undefined || !isIPv6(bare)) return false
  const embedded = embeddedIPv4(bare)
  if (embedded !== null) return !blocked.check(embedded, 'ipv4')
  return globalUnicast.check(bare, 'ipv6') && !blocked.check(bare, 'ipv6')
}

/** The IPv4 address that a mapped or NAT64 address leads to, or null. */
function embeddedIPv4(address: string): string | null {
  const groups = expandIPv6(address)
  const head = groups.slice(0, 6).join(':')
  if (head !== '0:0:0:0:0:ffff' && head !== '64:ff9b:0:0:0:0') return null
  return groups
    .slice(6)
    .flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff])
    .join('.')
}

/** Eight hexadecimal groups without leading zeros; `address` is a valid IPv6 address. */
function expandIPv6(address: string): string[] {
  const [, canonical = ''] = /^\[(.*)\]$/.exec(new URL(`http://[${address}]`).hostname) ?? []
  const [left = '', right] = canonical.split('::')
  const before = left === '' ? [] : left.split(':')
  if (right === undefined) return before
  const after = right === '' ? [] : right.split(':')
  return [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after]
}

/** What kind of place an IP address is, by IANA's special-purpose registries (RFC 6890 and later), as ipaddr.js has them. */

import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/**
 * `public`: a host on the internet. `loopback`: this machine. `private`: a network of one's own (RFC 1918, RFC 4193,
 * carrier-grade NAT). `special`: link-local, cloud metadata, multicast, reserved, and whatever is no address.
 */
export type AddressKind = 'public' | 'loopback' | 'private' | 'special'

type Ranges = Parameters<typeof ipaddr.subnetMatch>[1]

/** What the registries do not say: addresses of clouds that answer with credentials, or that are their own agents. */
const ofClouds: Ranges = {
  metadata: [
    ipaddr.parseCIDR('168.63.129.16/32'), // on an otherwise public address
    ipaddr.parseCIDR('100.100.100.200/32'), // within carrier-grade NAT
    ipaddr.parseCIDR('fd00:ec2::/32'), // within a private network
    ipaddr.parseCIDR('fd20:ce::/32'),
  ],
}

const globalUnicast = ipaddr.parseCIDR('2000::/3')

/**
 * IPv4 inside IPv6 (`::ffff:0:0/96`, NAT64's `64:ff9b::/96`) is judged by the IPv4 address.
 *
 * @param address IPv4, or IPv6 without brackets; a zone (`%eth0`) is passed over
 */
export function addressKind(address: string): AddressKind {
  const [bare = ''] = address.split('%')
  // ipaddr.js also reads addresses with missing or octal parts, which no socket is given here.
  if (isIP(bare) === 0) return 'special'
  const parsed = withoutIPv6(ipaddr.parse(bare))
  if (ipaddr.subnetMatch(parsed, ofClouds, 'none') === 'metadata') return 'special'
  const range = parsed.range()
  if (range === 'loopback') return 'loopback'
  if (range === 'private' || range === 'uniqueLocal' || range === 'carrierGradeNat') return 'private'
  if (range !== 'unicast') return 'special'
  return parsed.kind() === 'ipv4' || parsed.match(globalUnicast) ? 'public' : 'special'
}

/** False for anything but a host on the internet. */
export function isPublicAddress(address: string): boolean {
  return addressKind(address) === 'public'
}

/** The IPv4 address that a mapped or NAT64 address leads to, or the address itself. */
function withoutIPv6(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  if (!(address instanceof ipaddr.IPv6)) return address
  if (address.isIPv4MappedAddress()) return address.toIPv4Address()
  if (!address.match(nat64)) return address
  return new ipaddr.IPv4(address.toByteArray().slice(12))
}

const nat64 = ipaddr.parseCIDR('64:ff9b::/96')

/** `localhost` and all below it: this machine, whatever a resolver says (RFC 6761, section 6.3). */
export function isLocalhostName(hostname: string): boolean {
  return /(^|\.)localhost\.?$/i.test(hostname)
}

/** Whether a URL's host is this machine by its very form. @param hostname IPv6 with or without brackets */
export function isLoopbackHost(hostname: string): boolean {
  return isLocalhostName(hostname) || addressKind(hostname.replace(/^\[|\]$/g, '')) === 'loopback'
}

/** A tap on "scan": the platform's scanner, or the page to type the code on. A door code, or null. */
import { t } from '@/i18n'
import { PlatformSays, platform } from '@/platform'
import { request } from '@/store/session'
import { readScan } from './door'
import { say } from './nav'

export async function scanDoor(): Promise<string | null> {
  try {
    const found = readScan(await platform.scan(request))
    if (found.kind === 'door') return found.code
    say(t(`scan.${found.kind}`))
    return null
  } catch (error) {
    if (error instanceof PlatformSays && error.why === 'cancelled') return null
    return typeDoor()
  }
}

export function typeDoor(): Promise<string | null> {
  return new Promise((yes) => {
    uni.$once('door-typed', (code: string | null) => yes(code))
    void uni.navigateTo({ url: '/pages/scan/type' })
  })
}

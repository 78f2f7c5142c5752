/** What the two mini-program platforms do alike. */
import { NotHeard } from '@/api/request'

export const absolute = (path: string) => (/^https?:/.test(path) ? path : `${__BASE_URL__}${path}`)

export function heardText(text: unknown): unknown {
  if (typeof text !== 'string') return text
  if (!text) return null
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

export function notHeard(error: { errMsg?: string; errorMessage?: string } | undefined): NotHeard {
  return new NotHeard(/time\s?out|超时/i.test(`${error?.errMsg ?? ''}${error?.errorMessage ?? ''}`) ? 'timeout' : 'offline')
}

export function imageType(path: string, data: ArrayBuffer): string {
  const head = new Uint8Array(data.slice(0, 12))
  if (head[0] === 0x89 && head[1] === 0x50) return 'image/png'
  if (head[0] === 0x52 && head[8] === 0x57) return 'image/webp'
  if (head[0] === 0xff && head[1] === 0xd8) return 'image/jpeg'
  return /\.png$/i.test(path) ? 'image/png' : 'image/jpeg'
}

export function download(url: string, headers: Record<string, string>): Promise<string> {
  return new Promise((yes, no) => {
    uni.downloadFile({
      url: absolute(url),
      header: headers,
      timeout: 20000,
      success: (r) => (r.statusCode === 200 ? yes(r.tempFilePath) : no(new Error(`picture ${r.statusCode}`))),
      fail: (e) => no(notHeard(e)),
    })
  })
}

export function copy(text: string): Promise<'clipboard'> {
  return new Promise((yes, no) => {
    uni.setClipboardData({ data: text, showToast: false, success: () => yes('clipboard'), fail: no })
  })
}

export function choose(count: number): Promise<string[]> {
  return new Promise((yes) => {
    uni.chooseImage({
      count,
      sizeType: ['compressed'],
      sourceType: ['camera', 'album'],
      success: (r) => yes(([] as string[]).concat(r.tempFilePaths)),
      fail: () => yes([]),
    })
  })
}

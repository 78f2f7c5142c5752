import { NotHeard, type Heard, type Sent } from '@/api/request'

/** XMLHttpRequest, because it tells how far an upload is and can be timed out. */
export function send({ method, path, headers, body, timeoutMs, onProgress }: Sent): Promise<Heard> {
  return new Promise((yes, no) => {
    const xhr = new XMLHttpRequest()
    xhr.open(method, `${__BASE_URL__}/api/v1${path}`)
    xhr.timeout = timeoutMs
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value)
    if (onProgress) xhr.upload.onprogress = (e) => e.lengthComputable && onProgress(e.loaded / e.total)
    xhr.onload = () => yes({ status: xhr.status, headers: headersOf(xhr), body: bodyOf(xhr.responseText) })
    xhr.onerror = () => no(new NotHeard('offline'))
    xhr.ontimeout = () => no(new NotHeard('timeout'))
    xhr.send(body ?? null)
  })
}

function headersOf(xhr: XMLHttpRequest): Record<string, string> {
  const found: Record<string, string> = {}
  for (const line of xhr.getAllResponseHeaders().trim().split(/\r?\n/)) {
    const at = line.indexOf(':')
    if (at > 0) found[line.slice(0, at).toLowerCase()] = line.slice(at + 1).trim()
  }
  return found
}

function bodyOf(text: string): unknown {
  if (!text) return null
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** A picture behind our Authorization header, as a blob: address. */
export async function picture(url: string, headers: Record<string, string>): Promise<string> {
  const answer = await fetch(url, { headers, credentials: 'same-origin' })
  if (!answer.ok) throw new Error(`picture ${answer.status}`)
  return URL.createObjectURL(await answer.blob())
}

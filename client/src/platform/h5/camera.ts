/** Scanning with the browser's own camera where it can read codes (BarcodeDetector); else the code is typed. */
import { t } from '@/i18n'
import { PlatformSays } from '../types'

interface Detector {
  detect(source: HTMLVideoElement): Promise<{ rawValue: string }[]>
}
type DetectorClass = { new (o: { formats: string[] }): Detector; getSupportedFormats?: () => Promise<string[]> }

async function detector(): Promise<Detector | null> {
  const Class = (window as unknown as { BarcodeDetector?: DetectorClass }).BarcodeDetector
  if (!Class || !navigator.mediaDevices?.getUserMedia) return null
  const formats = await Class.getSupportedFormats?.()
  return formats && !formats.includes('qr_code') ? null : new Class({ formats: ['qr_code'] })
}

export async function scanByCamera(): Promise<string> {
  const eye = await detector().catch(() => null)
  if (!eye) throw new PlatformSays('type')
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } }).catch(() => null)
  if (!stream) throw new PlatformSays('type')
  const { sheet, video, close, type } = view(stream)
  document.body.appendChild(sheet)
  try {
    return await new Promise<string>((yes, no) => {
      let over = false
      const end = (run: () => void) => {
        over = true
        run()
      }
      close.onclick = () => end(() => no(new PlatformSays('cancelled')))
      type.onclick = () => end(() => no(new PlatformSays('type')))
      const look = async () => {
        if (over) return
        const [found] = await eye.detect(video).catch(() => [])
        if (found?.rawValue) end(() => yes(found.rawValue))
        else setTimeout(look, 200)
      }
      video.onloadeddata = () => void look()
      void video.play().catch(() => end(() => no(new PlatformSays('type'))))
    })
  } finally {
    stream.getTracks().forEach((track) => track.stop())
    sheet.remove()
  }
}

function view(stream: MediaStream) {
  const sheet = document.createElement('div')
  sheet.className = 'scan-sheet'
  sheet.setAttribute('role', 'dialog')
  sheet.setAttribute('aria-label', t('scan.title'))
  const video = document.createElement('video')
  video.muted = true
  video.playsInline = true
  video.srcObject = stream
  const frame = document.createElement('div')
  frame.className = 'scan-sheet-frame'
  const hint = document.createElement('p')
  hint.textContent = t('scan.hint')
  const type = document.createElement('button')
  type.textContent = t('scan.type')
  const close = document.createElement('button')
  close.textContent = t('common.cancel')
  sheet.append(video, frame, hint, type, close)
  return { sheet, video, close, type }
}

/**
 * Photos on their way: one after another, each told how far it is, a failed one kept for another try.
 * The photo's Idempotency-Key is made once, so a repeat after a silence is not a second photo.
 */
export type UploadState = 'waiting' | 'sending' | 'sent' | 'failed'

export interface Upload {
  key: string
  path: string
  state: UploadState
  part: number
  no: string | null
  error: string | null
}

export interface Uploader {
  put: (upload: Upload, onProgress: (part: number) => void) => Promise<string>
  changed: (uploads: Upload[]) => void
  words: (error: unknown) => string
}

export class UploadQueue {
  private uploads: Upload[] = []
  private running: Promise<void> | null = null

  constructor(
    private readonly uploader: Uploader,
    readonly limit = 9,
  ) {}

  get all(): Upload[] {
    return this.uploads
  }
  get room(): number {
    return this.limit - this.uploads.length
  }
  get numbers(): string[] {
    return this.uploads.flatMap((u) => (u.no ? [u.no] : []))
  }

  add(photos: { key: string; path: string }[]): void {
    for (const { key, path } of photos.slice(0, this.room))
      this.uploads.push({ key, path, state: 'waiting', part: 0, no: null, error: null })
    this.tell()
    void this.run()
  }

  /** Photos of a draft that were sent before. */
  restore(sent: { key: string; path: string; no: string }[]): void {
    this.uploads.push(...sent.slice(0, this.room).map((u) => ({ ...u, state: 'sent' as const, part: 1, error: null })))
    this.tell()
  }

  remove(key: string): void {
    this.uploads = this.uploads.filter((u) => u.key !== key)
    this.tell()
  }

  retry(key?: string): void {
    for (const u of this.uploads)
      if (u.state === 'failed' && (key === undefined || u.key === key)) Object.assign(u, { state: 'waiting', part: 0, error: null })
    this.tell()
    void this.run()
  }

  /** Everything is sent, or has failed: true when nothing failed. */
  async settled(): Promise<boolean> {
    while (this.running) await this.running
    return this.uploads.every((u) => u.state === 'sent')
  }

  private run(): Promise<void> {
    if (!this.running)
      this.running = this.drain().finally(() => {
        this.running = null
      })
    return this.running
  }

  private async drain(): Promise<void> {
    for (;;) {
      const next = this.uploads.find((u) => u.state === 'waiting')
      if (!next) return
      next.state = 'sending'
      this.tell()
      try {
        next.no = await this.uploader.put(next, (part) => {
          next.part = part
          this.tell()
        })
        Object.assign(next, { state: 'sent', part: 1 })
      } catch (error) {
        Object.assign(next, { state: 'failed', error: this.uploader.words(error) })
      }
      this.tell()
    }
  }

  private tell(): void {
    this.uploader.changed(this.uploads.map((u) => ({ ...u })))
  }
}

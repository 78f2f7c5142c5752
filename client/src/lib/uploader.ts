/** The upload queue joined to this app: consent, the platform's chooser, and POST /photos. */
import { ref, type Ref } from 'vue'
import { api } from '@/api'
import { newKey } from '@/api/request'
import { platform } from '@/platform'
import { consented } from './consent'
import { UploadQueue, type Upload } from './uploads'
import { errorText } from './words'

export interface PhotoBox {
  uploads: Ref<Upload[]>
  queue: UploadQueue
  pick: () => Promise<void>
}

export function usePhotos(limit = 9): PhotoBox {
  const uploads = ref<Upload[]>([])
  const queue = new UploadQueue(
    {
      put: async (upload, onProgress) => (await api.sendPhoto(await platform.bytes(upload.path), upload.key, onProgress)).no,
      changed: (all) => {
        uploads.value = all
      },
      words: errorText,
    },
    limit,
  )
  async function pick() {
    if (!(await consented('photo'))) return
    const paths = await platform.choosePhotos(queue.room)
    queue.add(paths.map((path) => ({ key: newKey(), path })))
  }
  return { uploads, queue, pick }
}

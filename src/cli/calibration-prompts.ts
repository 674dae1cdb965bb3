/** What `pregen models calibrate` draws unless told otherwise: light and dark, every hue, flat and detailed. */
export const CALIBRATION_PROMPTS: readonly string[] = [
  'mountains at dawn, clear sky',
  'a city skyline at night',
  'sea at dusk, sun low over the water',
  'a green forest at noon',
  'dunes under a blue sky',
  'snow over the mountains at night, full moon',
  'rain over the city at dusk',
  'misty forest at dawn',
  'a red sunset over the sea',
  'purple mountains at dusk',
  'the sea at night under a crescent moon',
  'orange dunes at dusk',
  'a bowl of fruit on a wooden table',
  'portrait of a woman in a red coat',
  'a white cat on a black sofa',
  'a street market full of colourful cloth',
]

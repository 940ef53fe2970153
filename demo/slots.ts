import type { Slots } from './grammar.js';
import type { Random } from './random.js';

const FIRST_NAMES = [
  'anna',
  'ben',
  'carla',
  'dmitri',
  'elif',
  'farah',
  'george',
  'hana',
  'ivan',
  'julia',
  'kofi',
  'lena',
];
const LAST_NAMES = [
  'baker',
  'costa',
  'dogan',
  'evans',
  'fischer',
  'garcia',
  'haas',
  'ivanova',
  'jensen',
  'kim',
  'lopez',
];
const MONTHS = ['january', 'march', 'april', 'may', 'june', 'august', 'october', 'november'];
const DAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];

/** The words shared by all intents. Addresses end in the reserved `example` domains, phone numbers in the fictional 555-01xx. */
export const SLOTS: Slots = {
  product: [
    'jacket',
    'shoes',
    'headphones',
    'lamp',
    'backpack',
    'blender',
    'watch',
    'keyboard',
    'sofa',
    'tent',
    'monitor',
    'coat',
    'kettle',
    'phone case',
    'dress',
    'drill',
    'rug',
  ],
  things: ['{product}', '{product}', 'items', 'stuff', 'goods', 'things'],
  parcel: ['parcel', 'package', 'order', 'shipment', 'delivery', 'box'],
  order: ['order', 'order', 'purchase', 'basket', 'order {number}'],
  city: ['london', 'berlin', 'madrid', 'oslo', 'porto', 'lyon', 'dublin', 'vienna', 'milan', 'ghent'],
  carrier: ['the courier', 'the driver', 'the post', 'the carrier', 'your driver'],
  day: (random) => random.pick(DAYS),
  date: (random) => `${random.pick(MONTHS)} ${1 + random.int(28)}`,
  when: [
    'yesterday',
    'last week',
    'on {day}',
    'two days ago',
    'this morning',
    'on {date}',
    'a while ago',
    'last month',
  ],
  span: ['two days', 'a week', 'ten days', 'two weeks', 'a month', 'ages', 'three weeks'],
  number: (random) => `#${10_000 + random.int(90_000)}`,
  amount: (random) =>
    random.chance(0.5) ? `${5 + random.int(240)} euros` : `${5 + random.int(240)}.${10 + random.int(90)}`,
  code: (random) => `${random.pick(['save', 'hello', 'spring', 'extra'])}${5 * (1 + random.int(8))}`,
  size: ['small', 'medium', 'large', '38', '42', 'xl', 'm'],
  colour: ['black', 'blue', 'green', 'red', 'grey', 'white'],
  card: ['card', 'credit card', 'debit card', 'bank card', 'visa'],
  pay: ['pay', 'pay', 'check out', 'complete the payment', 'pay for my order'],
  want: [
    'i want to',
    'i would like to',
    'i need to',
    "i'd like to",
    'id like to',
    'can i',
    'could i',
    'how do i',
    'how can i',
    'is it possible to',
    'i am trying to',
    'help me',
    'where do i',
    'i wish to',
  ],
  email: (random) =>
    `${random.pick(FIRST_NAMES)}.${random.pick(LAST_NAMES)}@${random.pick(['mail.example', 'example.com', 'example.org'])}`,
  phone: (random) => `${200 + random.int(700)}-555-01${10 + random.int(90)}`,
  name: (random) => `${random.pick(FIRST_NAMES)} ${random.pick(LAST_NAMES)}`,
};

/** How people begin. Most do not. */
export const OPENINGS: readonly string[] = [
  '(hi|hello|hey|good morning|good evening)[ there],',
  '(hi|hello) this is {name},',
  '(quick|one|another) question,',
  '(please help|help please|urgent),',
  '(so|ok|well|um),',
  'dear (team|support|sir),',
];

/** How people end. */
export const CLOSINGS: readonly string[] = [
  '(thanks|thank you|thx|cheers)[ in advance]',
  'please (help|advise|let me know|reply soon)',
  '(what should i do|what now|any idea|can you help)?',
  'this is (annoying|urgent|confusing|not ok)',
  "(it's|this is) the (second|third) time i ask",
];

/** Ways to be reached: what redaction has to find in a dataset. */
export const CONTACTS: readonly string[] = [
  '(my email is|write to|reach me at|mail me at) {email}',
  '(call me on|my number is|text me at|phone) {phone}',
  'account {email}',
];

/** @returns text with one slip of the keyboard: letters swapped, lost, doubled. Numbers and addresses stay whole. */
export function misspell(text: string, random: Random): string {
  const words = text.split(' ');
  const long = words.flatMap((word, index) => (/^[a-z']{4,}$/.test(word) ? [index] : []));
  if (long.length === 0) return text;
  const at = random.pick(long);
  const word = words[at] as string;
  const i = 1 + random.int(word.length - 2);
  const slip = random.int(3);
  if (slip === 0) words[at] = word.slice(0, i) + word.slice(i + 1);
  else if (slip === 1) words[at] = word.slice(0, i) + word[i] + word.slice(i);
  else words[at] = word.slice(0, i) + word[i + 1] + word[i] + word.slice(i + 2);
  return words.join(' ');
}

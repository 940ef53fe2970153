import type { Intent } from './intent.js';

/** Before and on the way to the door. Neighbours differ in what went wrong, not in their nouns. */
export const ORDERS: readonly Intent[] = [
  {
    label: 'order_status',
    says: [
      '(what is|whats) the status of my {order}',
      'has my {order} been (processed|confirmed|accepted) yet',
      'did (you get|my {order} go through)(| or not)',
      'i ordered {things} {when} and got no confirmation',
      'are you (still preparing|already packing) my {order}',
      'is my {order} (being worked on|in the system)',
      '{want} see how far my {order} is before it ships',
    ],
  },
  {
    label: 'parcel_tracking',
    says: [
      '(where is|where can i follow) my {parcel} (right now|at the moment)',
      'the tracking (link|number|page) (shows nothing|does not work|is empty)',
      '{want} track my {parcel}',
      'my {parcel} has been stuck in {city} since {day}',
      'tracking has not (changed|moved|updated) for {span}',
      'which (number|link) do i use to follow the {parcel}',
      'it says my {parcel} left {city} but nothing since',
    ],
  },
  {
    label: 'delivery_late',
    says: [
      'my {parcel} should have (arrived|been here) {when}',
      'still waiting for my {parcel}, it has been {span}',
      'why does (it|my {parcel}) take so long',
      'you promised (delivery|it) by {day} and nothing came',
      'the {things} i ordered {when} (has|have) not arrived',
      'my {parcel} is (late|overdue|delayed)[ again]',
      'how much longer until my {parcel} gets here',
    ],
  },
  {
    label: 'delivery_missing',
    says: [
      'it says delivered but i (have nothing|got nothing|cannot find it)',
      '{carrier} (claims|says) the {parcel} was handed over, it was not',
      'tracking shows my {parcel} arrived {when} but it is not here',
      'marked as delivered, no {parcel} at my door',
      'somebody signed for my {parcel} and it was not me',
      'my neighbours do not have the {parcel} either, it is gone',
      'i think my {parcel} was stolen or lost after delivery',
    ],
  },
  {
    label: 'delivery_address',
    says: [
      '{want} change (where my {parcel} goes|the delivery address)',
      'i (moved|am moving) to {city}, send my {parcel} there instead',
      'i typed the wrong (street|house number|postcode) for my {order}',
      'can {carrier} bring the {parcel} to (my office|a neighbour|another address)',
      'the address on my {order} is (old|not right)',
      'please redirect my {parcel} to {city}',
    ],
  },
  {
    label: 'delivery_fee',
    says: [
      '(how much is|what does) (shipping|delivery)( cost|) to {city}',
      'why am i charged {amount} for delivery',
      'is shipping free (above|over|from) {amount}',
      'the shipping cost for a {product} (is too high|seems wrong)',
      'do i pay for delivery of two {parcel}s',
      'what do you charge to send a {product} by express',
    ],
  },
  {
    label: 'order_cancel',
    says: [
      '{want} cancel (my {order}|the {product})',
      'stop my {order}, i (do not want|no longer need) it',
      'i ordered (twice|by accident|the {product} by mistake), do not send it',
      'please do not ship the {product} i bought {when}',
      'is it too late to call off my {order}',
      'i changed my mind about the {product} i ordered {when}',
    ],
  },
  {
    label: 'order_change',
    says: [
      '{want} (add|put) a {product} (to|into) my {order}',
      'can you make it {size} before it ships',
      'i picked {colour} but want {colour} for my {order}, not sent yet',
      'please remove the {product} from my {order} and keep the rest',
      'change the (quantity|number) of {things} in my {order}',
      'i wish to swap the {product} in an {order} that has not left',
    ],
  },
  {
    label: 'item_missing',
    says: [
      'the {product} was not in the (box|package|parcel)',
      'i (paid for|ordered) two {product}, got one',
      'part of my {order} is missing',
      'the {parcel} came without the {product}',
      'only (half|some) of the {things} arrived',
      'opened the {parcel} and the {product} is not inside',
    ],
  },
  {
    label: 'item_wrong',
    says: [
      'i got a {product} instead of a {product}',
      'you sent the wrong (colour|size|{product})',
      'the {product} in the {parcel} is not what i ordered',
      'i ordered {colour} and received {colour}',
      'this {product} is size {size}, i asked for {size}',
      'my {parcel} contains (someone elses|a different) {things}',
    ],
  },
  {
    label: 'item_damaged',
    says: [
      'the {product} (arrived|came) (broken|damaged|cracked|scratched)',
      'the (box|package|parcel) was (crushed|wet|torn) and the {product} too',
      'my new {product} has a (hole|crack|scratch|dent) out of the box',
      '{carrier} dropped the {parcel} and now the {product} is broken',
      'unpacked the {product} and it is in pieces',
      'the {things} i received {when} are damaged',
    ],
  },
];

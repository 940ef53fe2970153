import type { Intent } from './intent.js';

/** Things on their way back, and the money for them. */
export const RETURNS: readonly Intent[] = [
  {
    label: 'return_start',
    says: [
      '{want} (return|send back) (the|my) {product}',
      'the {product} does not (fit|suit me|please me), (take it back|i want to send it back)',
      'how does returning {things} work',
      'i do not like the {product} i got {when}, how to give it back',
      'where do i register a return',
      'i want to bring the {product} back to you',
    ],
  },
  {
    label: 'return_label',
    says: [
      'there was no return label in the {parcel}',
      '{want} print a (label|return slip) for my {product}',
      'the (label|barcode|qr code) for sending the {product} back does not (open|print|scan)',
      'please (mail|send) me a new return label',
      'i lost the label for the {parcel} i send back',
      'the post wants a code for the return, where is it',
    ],
  },
  {
    label: 'return_deadline',
    says: [
      'how (long|many days) do i have to (return|send back) a {product}',
      'can i still return the {product} after {span}',
      'i bought the {product} {when}, is it too late to send it back',
      'until when can (i|one) return {things}',
      'what is the (last day|time limit) for returns',
      'is the return period (longer|extended) (at christmas|for a {product})',
    ],
  },
  {
    label: 'return_received',
    says: [
      'did my return (arrive|reach you)',
      'i sent the {product} back {when}, have you got it',
      'can you confirm that you received my returned {product}',
      'my return is stuck, the tracking says {city}',
      'the {parcel} i sent back {when} does not show in my account',
      'no news about the {things} i returned',
    ],
  },
  {
    label: 'refund_status',
    says: [
      '(where is|when do i get) my (refund|money back)',
      'i returned the {product} {when} and still have no money',
      'you said i get {amount} back, it has been {span}',
      'my refund has not (arrived|shown up) on my {card}',
      'how long does a refund take',
      'waiting for the money for my cancelled {order}',
    ],
  },
  {
    label: 'refund_amount',
    says: [
      'my refund is (too low|not complete|short)',
      'i paid {amount} but got only {amount} back',
      'why was (shipping|the voucher|the fee) not refunded',
      'you refunded one {product}, i returned two',
      'the money i got back is not the full price of the {product}',
      '{amount} is missing from my refund',
    ],
  },
  {
    label: 'refund_method',
    says: [
      'can the refund go to (another|a different|my new) {card}',
      'the {card} i paid with is (closed|expired), where does my money go back to',
      'i want my money back (as a voucher|to my bank account|in cash)',
      'do not refund me in (points|vouchers|store credit)',
      'you sent the refund to the wrong {card}',
      'where will you pay the refund, {card} or voucher',
    ],
  },
];

import type { Intent } from './intent.js';

/** Paying, being charged, papers and vouchers. */
export const PAYMENTS: readonly Intent[] = [
  {
    label: 'payment_declined',
    says: [
      'my {card} (was|is) (declined|refused|rejected)',
      'i cannot {pay}, it says (error|not authorised|try again)',
      'the payment of {amount} (failed|did not go through)',
      'why do you not accept my {card}, there is money on it',
      'every time i {pay} the page (fails|goes back)',
      '{want} {pay} but my {card} does not work',
    ],
  },
  {
    label: 'payment_methods',
    says: [
      'can i {pay} (with|by) (cash|paypal|bank transfer|apple pay|invoice)',
      'which (cards|ways to pay) do you (take|accept)',
      'do you accept (visa|amex|a foreign {card}|bank transfer)',
      'is it possible to {pay} without a {card}',
      'i have no {card}, how else can i {pay}',
      '{want} pay (on delivery|the driver|in the shop)',
    ],
  },
  {
    label: 'charged_twice',
    says: [
      'i was charged (twice|two times|double) for my {order}',
      'the payment of {amount} (left my {card}|shows on my statement) two times',
      'why do i see {amount} twice on my {card}',
      'you took the money for the {product} double',
      'i paid once but there are two payments of {amount}',
      'the first payment failed, i paid again and both went through',
    ],
  },
  {
    label: 'charge_unknown',
    says: [
      'there is a charge of {amount} i do not (know|recognise)',
      'what is this payment of {amount} from {when}',
      'i did not buy anything, why did you take {amount} from my {card}',
      'an order i never (made|placed) is on my statement',
      'someone used my {card} in your shop {when}',
      'you charged {amount} and i do not know for what',
    ],
  },
  {
    label: 'payment_pending',
    says: [
      'my payment (is still|has been) pending for {span}',
      'the {amount} is reserved on my {card} but the {order} says unpaid',
      'i sent the bank transfer {when}, did it arrive',
      'my {order} waits for payment although i paid {when}',
      'has my payment of {amount} been (received|booked)',
      'money left my {card} {when} and the {order} is not confirmed',
    ],
  },
  {
    label: 'invoice_copy',
    says: [
      '{want} (get|download|have) (an invoice|the receipt|the bill) for my {order}',
      'please (mail|send) me the (invoice|receipt) for {amount}',
      'i need a (receipt|bill|tax paper) for the {product}',
      'there was no (invoice|receipt|bill) in the {parcel}',
      'where are my old (invoices|receipts|bills)',
      'my boss wants the paper for the {product} i bought {when}',
    ],
  },
  {
    label: 'invoice_wrong',
    says: [
      'the (name|address|company) on the (invoice|bill) is wrong',
      'my (invoice|bill) shows {amount} but i paid {amount}',
      'please put my (tax number|company|new address) on the (invoice|receipt)',
      'the invoice has a {product} that i did not order',
      'the vat on my (bill|invoice) is not right',
      '{want} (change|correct) the (invoice|receipt) for my {order}',
    ],
  },
  {
    label: 'card_update',
    says: [
      '{want} (add|save|use) a new {card} in my account',
      'my {card} expired, where do i enter the new one',
      'i got a new {card} from my bank, (update|change) it please',
      'replace the {card} saved in my profile',
      'change the {card} for my next payment',
      'the {card} number in my account is old',
    ],
  },
  {
    label: 'card_remove',
    says: [
      '{want} (remove|delete|take out) my {card}',
      'do not keep my {card} (in my account|in your system)',
      'i do not want my {card} saved after i {pay}',
      'please forget the {card} i paid with {when}',
      'how to get rid of an old {card} in my profile',
      'the {card} cannot be deleted from my account',
    ],
  },
  {
    label: 'voucher_invalid',
    says: [
      'my (voucher|code|coupon) {code} (does not work|is invalid|is refused)',
      'it says the (code|coupon) has (expired|been used)',
      'i cannot (enter|apply|use) the voucher when i {pay}',
      'the discount was not taken off my {order}',
      'why does {code} not count for a {product}',
      'i forgot to use my (code|voucher), {amount} too much paid',
    ],
  },
];

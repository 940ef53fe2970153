import type { Intent } from './intent.js';

/** The club, its points, and what else the shop offers. */
export const SERVICES: readonly Intent[] = [
  {
    label: 'plan_cancel',
    says: [
      '{want} cancel my (membership|subscription|plan)',
      'stop the (membership|subscription), i do not need it any more',
      'how do i end the monthly plan',
      'you renewed my plan and took {amount}, i want out',
      'no more {amount} a month please, finish the membership',
      'is there a notice period for the (plan|subscription)',
    ],
  },
  {
    label: 'plan_change',
    says: [
      '{want} (upgrade|downgrade|switch) my (plan|membership)',
      'can i go from monthly to yearly',
      'what is the difference between the (plans|memberships)',
      'i want the cheaper plan from {date}',
      'move me to the family (plan|membership)',
      'how much more is the bigger plan than {amount}',
    ],
  },
  {
    label: 'points_missing',
    says: [
      'my (points|bonus) for the {product} (are missing|did not arrive)',
      'i bought a {product} {when} and got no points',
      'my points are (gone|fewer than before)',
      'the points for {order} do not show in my account',
      'where are the extra points you promised',
      'i returned one {product} and you took all my points',
    ],
  },
  {
    label: 'points_redeem',
    says: [
      '{want} (use|redeem|spend) my points',
      'can i {pay} with points',
      'what is a point worth when i {pay}',
      'turn my points into a voucher',
      'how many points do i need for a {product}',
      'the button to use points is grey when i {pay}',
    ],
  },
  {
    label: 'repair_status',
    says: [
      'is my {product} repaired yet',
      'i sent my {product} in for repair {when}, any news',
      'how long does the repair take',
      'when do i get my {product} back from repair',
      'the workshop has had my {product} for {span}',
      'what happens with the {product} i gave you to fix',
    ],
  },
  {
    label: 'gift_balance',
    says: [
      'how much is (left|still) on my gift card',
      '{want} check the (balance|amount) of a (voucher|gift card)',
      'i used my gift card {when}, what remains',
      'does my gift card still have {amount}',
      'the money on my gift card is (gone|less than i thought)',
      'where do i see what my voucher is worth',
    ],
  },
  {
    label: 'price_match',
    says: [
      'the {product} is cheaper (elsewhere|in another shop|in {city})',
      'i bought the {product} {when} and now it costs {amount}',
      'the price of the {product} (dropped|went down) after i paid',
      'can i get the {product} for {amount} like the others sell it',
      'do you match prices of other shops',
      'it was {amount} in my basket and now it is {amount}',
    ],
  },
  {
    label: 'data_export',
    says: [
      '{want} (get|download|see) all data you have about me',
      'send me a copy of my (data|profile|history)',
      'what do you (store|know|keep) about me',
      'i need a list of everything i ordered since {date}',
      'how to export my orders to a file',
      'which of my details are in your system',
    ],
  },
  {
    label: 'item_exchange',
    says: [
      '{want} exchange (the|my) {product} for (another size|{size}|{colour})',
      'the {product} is too (big|small|tight), i need {size}',
      'swap my {product} for a {colour} one',
      'can i send the {product} back and get size {size}',
      'i got the {product} {when} and want a different colour',
      'do you replace the {product} with another model',
    ],
  },
  {
    label: 'delivery_time',
    says: [
      '(what time|at what hour) will {carrier} (come|be here)',
      'when exactly will my {parcel} come on {day}',
      '{want} pick a (day|time slot) for my {parcel}',
      'i am not home on {day}, can {carrier} come later',
      'do you deliver on {day} or in the evening',
      'how many days until a {product} reaches {city}',
    ],
  },
];

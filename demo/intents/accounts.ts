import type { Intent } from './intent.js';

/** Getting in, staying in, getting out. */
export const ACCOUNTS: readonly Intent[] = [
  {
    label: 'login_failed',
    says: [
      'i cannot (log in|sign in|get into my account)',
      'the login page (keeps loading|throws me out|shows an error)',
      'my password is right but i (do not get in|am not let in)',
      'the app (logs me out|does not let me in) (all the time|since {day})',
      '{want} sign in and nothing happens',
      'it says no such account for my email',
    ],
  },
  {
    label: 'password_reset',
    says: [
      'i (forgot|lost|do not remember) my password',
      '{want} (reset|change|set a new) password',
      'the reset (link|mail) (never came|has expired|does not work)',
      'please send me a new password',
      'how do i choose another password for my account',
      'my old password is not safe, i want a new one',
    ],
  },
  {
    label: 'code_missing',
    says: [
      'i do not get the (code|sms|pin) to log in',
      'the (security|verification) code never (arrives|came)',
      'waiting for the text with the code since {when}',
      'the code you sent to my phone (is wrong|has expired)',
      'no sms arrives on {phone}',
      'it asks for six digits but i got no message',
    ],
  },
  {
    label: 'account_locked',
    says: [
      'my account (is|was) (locked|blocked|suspended|frozen)',
      'too many attempts, now i am locked out',
      'why did you block me',
      '{want} unlock my account',
      'it says my profile is disabled for {span}',
      'i typed a wrong password and now the account is closed',
    ],
  },
  {
    label: 'account_hacked',
    says: [
      'someone (else is in|got into|is using) my account',
      'i see a login from {city} that was not me',
      'my email and password were changed and i did not do it',
      'orders in my account that i did not make, i think i was hacked',
      'i clicked a strange mail and gave my password',
      'a stranger bought a {product} with my account',
    ],
  },
  {
    label: 'account_delete',
    says: [
      '{want} (delete|close|remove) my account',
      'please erase my profile and everything',
      'i no longer want to be a customer, take me out of your system',
      'how to get rid of my account for good',
      'delete me, i (do not shop here any more|never use it)',
      'cancel my account and forget my data',
    ],
  },
  {
    label: 'email_change',
    says: [
      '{want} change (my email|the mail address) (to {email}|in my account)',
      'i have a new email, {email}',
      'i (lost access to|no longer use) my old mailbox',
      'your mails go to an old address of mine',
      'there is a typo in my email in the profile',
      'use {email} from now on please',
    ],
  },
  {
    label: 'phone_change',
    says: [
      '{want} change my (phone|mobile) number',
      'my new number is {phone}, update it',
      'i have a new phone and the old number is gone',
      'the mobile in my account is wrong',
      '{carrier} called my old number',
      'replace {phone} with my new mobile',
    ],
  },
  {
    label: 'newsletter_stop',
    says: [
      'stop sending me (mails|offers|advertising|texts)',
      '{want} (unsubscribe|get off the mailing list)',
      'i get too many mails from you',
      'no more newsletter to {email}',
      'the unsubscribe link does not work',
      'i do not want your offers on my phone any more',
    ],
  },
];

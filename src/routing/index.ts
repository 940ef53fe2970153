export { isInSecondArm } from './assign-arm.js';
export { awaitGateways, type FollowedBy } from './await-gateways.js';
export { awaitPromotion } from './await-promotion.js';
export { changeRoute, type RouteChangeRequest, type RouteChangeResult } from './change-route.js';
export { type FollowedRoute, followRoutes, type RouteFollower } from './follow-routes.js';
export { readRoute, readRoutes } from './read-route.js';
export type { NextRoute, Route, RouteAction } from './route.js';
export {
  changesThatExtended,
  changeThatLeft,
  changeThatStarted,
  findRouteChange,
  lastRouteChange,
  previousWhenChampion,
  type RouteChangeRecord,
} from './route-history.js';
export { type BrokenLink, verifyChain } from './verify-chain.js';

import { t as require_react } from "./react-ZqrKS_qW.js";
export default require_react();

export { type CoseReceipt, type ReceiptSigner, signCoseReceipt, verifyCoseReceipt } from "./cose-receipt.ts";

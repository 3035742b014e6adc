/* Written by special_tables.py. */
#ifndef AD_SPECIAL_TABLES_H
#define AD_SPECIAL_TABLES_H

#include "arith/dd.h"

enum { ERFCX_COEFFICIENTS = 15 };

/* exp(x^2) erfc(x) on the quarters of the binades from 1/4 to 32, in powers of x less the quarter's middle;
 * the last column is what the first one lost to rounding */
static const double ERFCX[28][16] = {
    {0x1.7ecff36408789p-1, -0x1.6a65f1200ea9dp-1, 0x1.18e347930458dp-1, -0x1.79dd5bfe47412p-2, 0x1.c7804d4684a75p-3,
     -0x1.f61881cd60f5cp-4, 0x1.00989203c2033p-4, -0x1.eb58ae8e15052p-6, 0x1.bc18ab7b89114p-7, -0x1.7d3d85b99686cp-8,
     0x1.386336f133d19p-9, -0x1.eaa245dff6ae7p-11, 0x1.7285108ccca27p-12, -0x1.0dfbac89d0a42p-13, 0x1.7c3ccbc6d9632p-15,
     0x1.346331006613dp-57},
    {0x1.693716c1c115fp-1, -0x1.49650a631eae9p-1, 0x1.eff8b65f5d13ep-2, -0x1.4588640e4e3eep-2, 0x1.8011d3fa722e4p-3,
     -0x1.9f3bb8fed0fe4p-4, 0x1.a0ef6ae8ddae1p-5, -0x1.88a782fe9ebb8p-6, 0x1.5d72a0651a659p-7, -0x1.27a3630bd209bp-8,
     0x1.ddd0defe978a4p-10, -0x1.724acf3bb5d7ap-11, 0x1.141d56017bd5cp-12, -0x1.8d819cb0a5198p-14,
     0x1.14a5c0eb06213p-15, -0x1.92382a9e5e3cep-57},
    {0x1.558ef312ebe87p-1, -0x1.2c36c488f3c0dp-1, 0x1.b731667691c43p-2, -0x1.19564fa128314p-2, 0x1.44e6561d19702p-3,
     -0x1.588c09d1fe70dp-4, 0x1.53e2857ded01ap-5, -0x1.3addbe850bc4ep-6, 0x1.13ed7acae69d8p-7, -0x1.cc1f1f3fc5841p-9,
     0x1.6eb6e8fd89270p-10, -0x1.1875ca19976b9p-11, 0x1.9cfea2eea9539p-13, -0x1.25ae42f2cb262p-14,
     0x1.9401ad6a093bep-16, -0x1.cc776d0afa064p-55},
    {0x1.439ea3683d4ccp-1, -0x1.125630d699f5bp-1, 0x1.860c79074a433p-2, -0x1.e7c8b697b6cfep-3, 0x1.13b96e3bbb6a7p-3,
     -0x1.1ed4a2562bf7fp-4, 0x1.15ff7594b6d07p-5, -0x1.faaf7410b96b6p-7, 0x1.b53dcbf5822b7p-8, -0x1.674b875836cebp-9,
     0x1.1a6ce030b584ep-10, -0x1.aa545f04bf5e1p-12, 0x1.35f3fa5d1b6a5p-13, -0x1.b37b8862d6c41p-15,
     0x1.280c08377b346p-16, -0x1.6fe8b5a67b6d0p-57},
    {0x1.2b84f076e14fbp-1, -0x1.e18ab7052be7fp-2, 0x1.482bd9fad9ed0p-2, -0x1.8bed65e01718dp-3, 0x1.b1a22aa7a6dc0p-4,
     -0x1.b65943018044bp-5, 0x1.9dcc15144e60fp-6, -0x1.6ff6b384549eap-7, 0x1.364eb2971663bp-8, -0x1.f301024e7364dp-10,
     0x1.80374a09f9181p-11, -0x1.1c526ea8234e3p-12, 0x1.95aaaba9902dbp-14, -0x1.182ae9c31bfc7p-15,
     0x1.7644b18a328d3p-17, 0x1.b8bd1accf8123p-55},
    {0x1.0fce4e96dd619p-1, -0x1.97fe7bf1c60f0p-2, 0x1.071da7f78298dp-2, -0x1.2ecd75f4d05d4p-3, 0x1.3e0e0ed6b5f18p-4,
     -0x1.358dce2b361d2p-5, 0x1.1a31bff52474bp-6, -0x1.e5d3e4fd95addp-8, 0x1.8d62a9331d3ebp-9, -0x1.366c6d306b039p-10,
     0x1.d1156c47d8bfdp-12, -0x1.4f40fe571fbc6p-13, 0x1.d273f51e2a090p-15, -0x1.3a6c7c6ddd754p-16,
     0x1.9a5717c23dca5p-18, -0x1.7210607953137p-57},
    {0x1.f0723ff5acdf9p-2, -0x1.5cbc2c216df00p-2, 0x1.aa32b83507192p-3, -0x1.d43ed8ca5d7a1p-4, 0x1.d7f26045a23f1p-5,
     -0x1.ba6d691685b3fp-6, 0x1.859d3cc5fa92bp-7, -0x1.44bd2e2b88ea8p-8, 0x1.01b062044ad41p-9, -0x1.87347d13c73f9p-11,
     0x1.1d292762a4586p-12, -0x1.908562e839196p-14, 0x1.0fbd540209fd3p-15, -0x1.6598c2ee828efp-17,
     0x1.c7f4f4733a310p-19, -0x1.7b669ffa31576p-58},
    {0x1.c7f81382721efp-2, -0x1.2c84af7c10e14p-2, 0x1.5c775dfc44978p-3, -0x1.6dcc9e7a2c9b5p-4, 0x1.61fee765ff5d7p-5,
     -0x1.3fc8366a2e3f4p-6, 0x1.102167daf7951p-7, -0x1.b75cb1aca9733p-9, 0x1.524f5c6cff97fp-10, -0x1.f329c4301121bp-12,
     0x1.621c1d854b178p-13, -0x1.e49dd69e2f7d0p-15, 0x1.40b410eef0cecp-16, -0x1.9bffea8aed130p-18,
     0x1.00a66d5118efcp-19, -0x1.3f947ee724dfcp-62},
    {0x1.9531e09b149b5p-2, -0x1.e78b356770fbbp-3, 0x1.05e72521ca1b8p-3, -0x1.01343a2c92265p-4, 0x1.d4e711a2df97dp-6,
     -0x1.910a5d7c0a74fp-7, 0x1.446c5166ccf6bp-8, -0x1.f38c6d04f3ad5p-10, 0x1.6fd9a57ab0516p-11, -0x1.041e391b70554p-12,
     0x1.62743c54867d8p-14, -0x1.d2b191005da3ep-16, 0x1.299709067c415p-17, -0x1.72482ff57138fp-19,
     0x1.bd959b011bb31p-21, -0x1.aa513235e9c37p-58},
    {0x1.5f88f52f3c76bp-2, -0x1.797a639d8129dp-3, 0x1.701342cbcea7bp-4, -0x1.4bcdb9d9083c2p-5, 0x1.17eba60d31fcap-6,
     -0x1.bdf24bccac636p-8, 0x1.51ab9ffce7498p-9, -0x1.e8ae68b40bd86p-11, 0x1.535f57fdef4bfp-12, -0x1.c5fa6b654fc76p-14,
     0x1.254ed21cb0573p-15, -0x1.6f05375dc7606p-17, 0x1.bdb6307acafabp-19, -0x1.08656e1942900p-20,
     0x1.2ffe74e740f05p-22, -0x1.b7eb97a02d0e7p-57},
    {0x1.3583f6644327bp-2, -0x1.2b11e6959934cp-3, 0x1.0a15ac2adab35p-4, -0x1.ba018e6428103p-6, 0x1.5a142948a9b2fp-7,
     -0x1.014eae28304b8p-8, 0x1.6d609f6ab13bbp-10, -0x1.f1b43d3aab633p-12, 0x1.465ecd15a6148p-13,
     -0x1.9d62286b3c83ep-15, 0x1.fafc8f8040fc5p-17, -0x1.2db3136957f1ap-18, 0x1.5d22b721946bdp-20,
     -0x1.8b37d99d598e8p-22, 0x1.b26a77261d01bp-24, -0x1.88eb8ebfdccaep-56},
    {0x1.13e5743b60480p-2, -0x1.e36580c7f734ap-4, 0x1.8a6efeed233adp-5, -0x1.2ef92f6f10797p-6, 0x1.b99589d40f23dp-8,
     -0x1.33237c3eeacf6p-9, 0x1.99b60e42dd5abp-11, -0x1.070e0cb5ddd1ep-12, 0x1.4631c4b0ad990p-14,
     -0x1.87a61e708549fp-16, 0x1.c85948300d255p-18, -0x1.0285bff556249p-19, 0x1.1d4ed2590fb95p-21,
     -0x1.34621ec6dbd54p-23, 0x1.44429817e5e64p-25, 0x1.ca1dfca5d5331p-56},
    {0x1.d94446d627932p-3, -0x1.6a70d2bb37411p-4, 0x1.0615670e25a7bp-5, -0x1.6883f9919a177p-7, 0x1.da595561f7d31p-9,
     -0x1.2bd251bb2fe84p-10, 0x1.6d7743d3b35a3p-12, -0x1.aed7ebc558f93p-14, 0x1.ec773cc51b889p-16,
     -0x1.117a6b9b9f74cp-17, 0x1.27af477cc6335p-19, -0x1.37b2d3e2bafe1p-21, 0x1.40e119faabcc4p-23,
     -0x1.478772de8066dp-25, 0x1.428297084d79cp-27, -0x1.a8198a8216449p-58},
    {0x1.8c9eb68ff27d7p-3, -0x1.0305781330099p-4, 0x1.43b98bac83823p-6, -0x1.84e9ab30e6ab2p-8, 0x1.c2c72fd72763dp-10,
     -0x1.f99e41ecb124ep-12, 0x1.131bb16125983p-13, -0x1.2312b25805865p-15, 0x1.2bfb5b0d83f91p-17,
     -0x1.2da32d24fb79ap-19, 0x1.2856fda52a137p-21, -0x1.1ccb30f457aedp-23, 0x1.0c1223e921938p-25,
     -0x1.f4a74bd173f40p-28, 0x1.c52907556b237p-30, -0x1.bb4e763c64a35p-57},
    {0x1.54a7a08d4bb45p-3, -0x1.82a8522b868a1p-5, 0x1.a7eddc9ee6425p-7, -0x1.c24b49c47a2c4p-9, 0x1.d085857a17f32p-11,
     -0x1.d25ebba1c4c85p-13, 0x1.c882f02381739p-15, -0x1.b45d025e9b82ap-17, 0x1.97dd78d660966p-19,
     -0x1.753cadda71686p-21, 0x1.4ec0940662f33p-23, -0x1.2688f42649504p-25, 0x1.fcf360e689c4dp-28,
     -0x1.b48194f146c80p-30, 0x1.6c5a759d1a00ap-32, -0x1.6a0d91336bdc9p-61},
    {0x1.2a2af19c14930p-3, -0x1.2aa6503acda11p-5, 0x1.22f0664f3cbf9p-7, -0x1.1434ae05873abp-9, 0x1.fff032a0df889p-12,
     -0x1.cfcdea1b1f6c4p-14, 0x1.9b50d0d260eb3p-16, -0x1.65778aaccad91p-18, 0x1.30c2fb3f99919p-20,
     -0x1.fe3e34cfa3fcap-23, 0x1.a3bee4ac74431p-25, -0x1.53924ed57f3c1p-27, 0x1.0e5ba114e575cp-29,
     -0x1.ab9e392a1a0ddp-32, 0x1.4a426fe27ac1ep-34, -0x1.fa04a06a33f29p-57},
    {0x1.f5b2a049cf4c6p-4, -0x1.aa3eb6a946f7ep-6, 0x1.62c12cb5f7577p-8, -0x1.218ed930b236fp-10, 0x1.d00785f2ed4a2p-13,
     -0x1.6d54b133ec9bcp-15, 0x1.1ad6a32dfad8ap-17, -0x1.aef8ea15b5627p-20, 0x1.4354fafb29edap-22,
     -0x1.de099483b985bp-25, 0x1.5c64dee8492b2p-27, -0x1.f4beb087cdd64p-30, 0x1.6341a438d32d1p-32,
     -0x1.ffd7fc8b66a49p-35, 0x1.61e17f2856383p-37, -0x1.fc4bbbfb1695ap-58},
    {0x1.9d8a8f2284f2cp-4, -0x1.238ca71b93fc3p-6, 0x1.95252b932efe3p-9, -0x1.15976ddda3c96p-11, 0x1.774f4826dc84ap-14,
     -0x1.f4e46d17a549ep-17, 0x1.4a17e19c015eep-19, -0x1.add7ac8bdb3b4p-22, 0x1.149cd77868980p-24,
     -0x1.600032fb79104p-27, 0x1.bb09d28e92873p-30, -0x1.13cc640fa7fe1p-32, 0x1.53e6f026c6974p-35,
     -0x1.a7aa48e1d6aa5p-38, 0x1.ffa31aecd2b1bp-41, -0x1.5b0277fa1ecb8p-58},
    {0x1.5f75c42e97171p-4, -0x1.a6e2cf277a0cbp-7, 0x1.f75ef7a0fb2dbp-10, -0x1.28787f0e7f4c4p-12, 0x1.59b29296c518ap-15,
     -0x1.8f23feccb8bbcp-18, 0x1.c871a15eb111cp-21, -0x1.028f464393fafp-23, 0x1.224679548e574p-26,
     -0x1.43003d2c8368bp-29, 0x1.6450c626f8875p-32, -0x1.85b5c4cad7ea8p-35, 0x1.a6c691e105afep-38,
     -0x1.ce9da307f1d6cp-41, 0x1.edc7cc26cfbb4p-44, -0x1.a1eaaa8191c30p-58},
    {0x1.31742f4d8d4d3p-4, -0x1.404455ba9f3bep-7, 0x1.4d07bba601411p-10, -0x1.5783a27fad25ap-13, 0x1.5f8a69c9ddb97p-16,
     -0x1.64fcbb7154629p-19, 0x1.67ca2bf7eb089p-22, -0x1.67f14d332f89dp-25, 0x1.657f395fb012ap-28,
     -0x1.608ea718c39cbp-31, 0x1.59467a5f42484p-34, -0x1.4fd1ec88a5d8fp-37, 0x1.4477f5cba6c9ap-40,
     -0x1.3b9fea8ccfb9dp-43, 0x1.2cf599a55d87cp-46, -0x1.f82bc955e371ap-59},
    {0x1.fe6cc4a0f9538p-5, -0x1.c046699d77d52p-8, 0x1.876373f4a0f3ap-11, -0x1.53c131b5cb12bp-14, 0x1.254381038c7bdp-17,
     -0x1.f773505cb29e2p-21, 0x1.adc5f7f2d9185p-24, -0x1.6ce6628541cf8p-27, 0x1.342c86d0928d0p-30,
     -0x1.02e81292a8dd2p-33, 0x1.b0c9753a199e2p-37, -0x1.67a6df3f2064ap-40, 0x1.2993a36ef8adfp-43,
     -0x1.fdf2639361d9cp-47, 0x1.a1a4d9748a23dp-50, 0x1.c95be62ca9a6dp-59},
    {0x1.a273c57e476cep-5, -0x1.2ddd3d589bfb0p-8, 0x1.b1c8923879d89p-12, -0x1.3672f09812095p-15, 0x1.baa1d9d8421c6p-19,
     -0x1.3a555d7a9115bp-22, 0x1.bcbee2a214b78p-26, -0x1.3972860b3fe84p-29, 0x1.b82d44f802e67p-33,
     -0x1.33ef1a771ca05p-36, 0x1.ad455610c318ap-40, -0x1.2a09216a14054p-43, 0x1.9c7f711a39bf6p-47,
     -0x1.2483729cd7b0bp-50, 0x1.91ef603d1e157p-54, -0x1.6d026e15898ddp-59},
    {0x1.627bcc27cb4aep-5, -0x1.b1be47a913fc3p-9, 0x1.0898f73586fcfp-12, -0x1.41e750b2e0630p-16, 0x1.8682d2185613fp-20,
     -0x1.d868cc70fec14p-24, 0x1.1cf1ff6c66bc0p-27, -0x1.56cb0dcc1c24cp-31, 0x1.9b410ba77fca0p-35,
     -0x1.ec0bb84fea4dfp-39, 0x1.258f57c76ac0bp-42, -0x1.5d48d1833d990p-46, 0x1.9e8de23079636p-50,
     -0x1.f4ec48a43eaecp-54, 0x1.27ac5c94c0537p-57, -0x1.d520e73ec05a6p-60},
    {0x1.33714a024097ep-5, -0x1.467f441a50cf9p-9, 0x1.59fa2994d54efp-13, -0x1.6dd369db39093p-17, 0x1.81fb2ba7eb23fp-21,
     -0x1.96605f1ea3df3p-25, 0x1.aaf0d3bb7387ap-29, -0x1.bf9951f4c8cacp-33, 0x1.d445b87bc52b7p-37,
     -0x1.e8e126f65d7d4p-41, 0x1.fd55f8870923fp-45, -0x1.08c04fa46e102p-48, 0x1.12b2af44b40aap-52,
     -0x1.20f2da76e03a7p-56, 0x1.2a9201316c9e6p-60, 0x1.f3b4d0ae3b609p-59},
    {0x1.005fe090c5e5dp-5, -0x1.c661852c5133ap-10, 0x1.920b4fb071805p-14, -0x1.63325936575edp-18, 0x1.3955a9a783b07p-22,
     -0x1.13fdbd8e85377p-26, 0x1.e578451cc08a4p-31, -0x1.aa56197432044p-35, 0x1.75d9d3b2456c6p-39,
     -0x1.475879397a50ap-43, 0x1.1e33bf7425d68p-47, -0x1.f3513415a8f59p-52, 0x1.b349a5c3bfbdep-56,
     -0x1.8c70b42552b7fp-60, 0x1.588ed44894fa9p-64, -0x1.4a17d4faf57b0p-59},
    {0x1.a3bc12161d4ebp-6, -0x1.30a253d642e9cp-10, 0x1.b9bd9f029a792p-15, -0x1.3ff35b4b9df71p-19, 0x1.cf017aa140a05p-24,
     -0x1.4eabfd67b379ap-28, 0x1.e35421d7de652p-33, -0x1.5ca813fdd65c7p-37, 0x1.f6830e75a25e3p-42,
     -0x1.69c4ae4c16814p-46, 0x1.042eed78dade4p-50, -0x1.75bc0f9218b5ep-55, 0x1.0c41613ee7e8bp-59,
     -0x1.8c9f4964694a9p-64, 0x1.1c1a756950205p-68, -0x1.b352d33781d73p-61},
    {0x1.63438bf2c3ee9p-6, -0x1.b49a775427ef7p-11, 0x1.0c15fcc6f7feap-15, -0x1.48fb6bc697934p-20, 0x1.936a6b39ad21bp-25,
     -0x1.ee543f9178683p-30, 0x1.2ea50cffc60e6p-34, -0x1.724f1c6dde09ep-39, 0x1.c4c5dc1c78e79p-44,
     -0x1.1499a7e7b148dp-48, 0x1.51b515d24d16ap-53, -0x1.9bf017239bc78p-58, 0x1.f6387b529e992p-63,
     -0x1.38b597549e121p-67, 0x1.7cafb0123f524p-72, -0x1.1fc7374725534p-61},
    {0x1.33f3abfd60d6fp-6, -0x1.481e34f76a622p-11, 0x1.5d6955b46bd2ap-16, -0x1.73e1a60e21d13p-21, 0x1.8b940e583cbfcp-26,
     -0x1.a48dc574969c0p-31, 0x1.bedc4e961eee2p-36, -0x1.da8d76aa4bc8dp-41, 0x1.f7af5185559cap-46,
     -0x1.0b2821ac949b6p-50, 0x1.1b3f6542e7458p-55, -0x1.2c1c7b290dad4p-60, 0x1.3dd73ed671494p-65,
     -0x1.560a1545c9020p-70, 0x1.69d8b1e80e930p-75, 0x1.060d74c72796bp-60},
};

/* -x where gelu'(x) = 0 */
static const dd GELU_ROOT = {0x1.80ead197f00b4p-1, -0x1.13e74c58cada8p-56};

/* (erfcx(v/sqrt 2)/2 - v/sqrt(2 pi)) / (root - v) on [0, 1.5], in powers of v - 0.75 */
static const double GELU_Q[18] = {
    0x1.25265709118d8p-1,  -0x1.5bb314936034bp-4,  0x1.2c4eb337047f1p-5,  -0x1.d63e95b3742d5p-7,
    0x1.5375a01c5dff0p-8,  -0x1.c94e6091434e3p-10, 0x1.21fb57373d632p-11, -0x1.5c95d85c8ef23p-13,
    0x1.8f5992c5a9836p-15, -0x1.b5f3c67b76196p-17, 0x1.cd72bdee0b4e8p-19, -0x1.d496e38b3235ep-21,
    0x1.cbe864a07ce47p-23, -0x1.b5161dbbd4325p-25, 0x1.908eac0822692p-27, -0x1.6766dd129c41cp-29,
    0x1.611f63eb5a770p-31, -0x1.2b1af9a287ef9p-33,
};

/* where silu'(x) = 0: 1 + x + e^x = 0 */
static const dd SILU_ROOT = {-0x1.474973c84120bp+0, -0x1.f8d74bc9ac154p-54};

/* e^x there */
static const dd SILU_ROOT_EXP = {0x1.1d25cf210482ep-2, -0x1.ca2d0d94faaecp-60};

/* the positive root of digamma */
static const dd DIGAMMA_ROOT = {0x1.762d86356be3fp+0, 0x1.b86a722197829p-54};

/* digamma(x) / (x - root) on [1, 2], in powers of x - 1.5 */
static const double DIGAMMA_Q[23] = {
    0x1.e6f0cbb873616p-1,  -0x1.b1cb63005ee98p-2,  0x1.eca189b8e6f6dp-3,  -0x1.2feeeb98a78eap-3,
    0x1.8512e5903903ep-4,  -0x1.fb44202a2306bp-5,  0x1.4de9aa1779d23p-5,  -0x1.b9f8b11bfd3d0p-6,
    0x1.2564717896ec6p-6,  -0x1.863563f44f303p-7,  0x1.03c0adafa529cp-7,  -0x1.5a06a5d662cb4p-8,
    0x1.cd2011454fd05p-9,  -0x1.336dbe66757c8p-9,  0x1.99d3f5c0cad5ep-10, -0x1.0fb38d217b800p-10,
    0x1.6a3e76070c135p-11, -0x1.fd8e50abf2196p-12, 0x1.53b23429da21bp-12, -0x1.2fae5cb379bf2p-13,
    0x1.94e73cc9821e1p-14, -0x1.75c084e78a4cdp-13, 0x1.f255c4568ac4dp-14,
};

/* (tanh(x)/x - 1)/x^2 on |x| < 0.375, in powers of x^2 */
static const double TANH_Q[9] = {
    -0x1.5555555555555p-2, 0x1.1111111110f0fp-3,   -0x1.ba1ba1b9bc59dp-5, 0x1.664f484c3912dp-6,   -0x1.226e25b3b82e6p-7,
    0x1.d6cebe48bbf11p-9,  -0x1.7d273f7e2f141p-10, 0x1.2e5b26b41c390p-11, -0x1.861c26fe0307ep-13,
};

/* log 2 */
static const dd DD_LN2 = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};

/* log(2 pi)/2 */
static const dd HALF_LOG_2PI = {0x1.d67f1c864beb5p-1, -0x1.65b5a1b7ff5dfp-55};

/* B_2k / (2k)! for k = 1, 2, ... */
static const dd BERNOULLI_OVER_FACTORIAL[16] = {
    {0x1.5555555555555p-4, 0x1.5555555555555p-58},    {-0x1.6c16c16c16c17p-10, 0x1.f49f49f49f49fp-65},
    {0x1.1566abc011567p-15, -0x1.50ffbaa655100p-69},  {-0x1.bbd779334ef0bp-21, 0x1.4e65f77088199p-75},
    {0x1.66a8f2bf70ebep-26, -0x1.75a7bb0599f07p-80},  {-0x1.22805d644267fp-31, 0x1.16a73200360d2p-88},
    {0x1.d6db2c4e09162p-37, -0x1.1ed444b9ec588p-95},  {-0x1.7da4e1f79955cp-42, -0x1.2ff894d037a17p-96},
    {0x1.355871d652e9ep-47, -0x1.88d4ccd141422p-101}, {-0x1.f57d968caacf1p-53, 0x1.9c31f0af5255fp-108},
    {0x1.967e1f09c376fp-58, -0x1.3ea5a927db8abp-116}, {-0x1.497d9033a2b5cp-63, -0x1.b843f32aad364p-117},
    {0x1.0b132d7c6ad06p-68, 0x1.01d4526c8e75ep-122},  {-0x1.b0f72d59f1c16p-74, -0x1.f30b7489fb679p-128},
    {0x1.5ef2da4cca26dp-79, 0x1.6b993adfdd467p-133},  {-0x1.1c77df96de38bp-84, 0x1.dac59dd0d33acp-143},
};

/* exp(-TAIL_SHIFT) is TAIL_SCALE to within 2^-66 of itself */
static const double TAIL_SHIFT = 0x1.4f88000000000p+7, TAIL_SCALE = 0x1.f3dac92cfc3d6p-243;

#endif

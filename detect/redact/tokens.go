package redact

// tokenForms are the prefixes that services give to their credentials, as they document
// them and as secret scanners list them (gitleaks, https://github.com/gitleaks/gitleaks,
// has the same facts as patterns). Lengths are at most those of real ones, so that one
// that was cut off is still known.
var tokenForms = []form{
	// Forges and their packages.
	{"ghp_", alnum, 16, false},
	{"gho_", alnum, 16, false},
	{"ghu_", alnum, 16, false},
	{"ghs_", alnum, 16, false},
	{"ghr_", alnum, 16, false},
	{"github_pat_", wordy, 20, false},
	{"glpat-", dotted, 16, false},
	{"glptt-", wordy, 16, false},
	{"glcbt-", wordy, 16, false},
	{"glrt-", dotted, 16, false},
	{"glrtr-", wordy, 16, false},
	{"gldt-", wordy, 16, false},
	{"gloas-", wordy, 16, false},
	{"glft-", wordy, 16, false},
	{"glsoat-", wordy, 16, false},
	{"glffct-", wordy, 16, false},
	{"glagent-", wordy, 16, false},
	{"glimt-", wordy, 16, false},
	{"glwt-", wordy, 16, false},
	{"GR1348941", wordy, 16, false},
	{"ATATT3", base64s, 40, false}, // Atlassian
	{"ATCTT3", base64s, 40, false},
	{"ATBB", alnum, 28, true},
	{"ATOA", base64s, 40, true},
	{"npm_", alnum, 20, false},
	{"pypi-", wordy, 16, true},
	{"rubygems_", hex, 24, false},
	{"oy2", alnum, 40, true}, // NuGet
	{"cio", alnum, 30, true}, // crates.io
	{"CLOJARS_", alnum, 30, false},
	{"dckr_pat_", wordy, 16, false},
	{"dckr_oat_", wordy, 16, false},
	{"AKCp", alnum, 40, false}, // Artifactory
	{"cmVmdGtu", alnum, 40, false},

	// CI and what is deployed by it.
	{"bkua_", hex, 30, false}, // Buildkite
	{"CCIPAT_", wordy, 16, false},
	{"CCIPRJ_", wordy, 16, false},
	{"dp.pt.", alnum, 30, false}, // Doppler
	{"dp.st.", dotted, 30, false},
	{"dp.ct.", alnum, 30, false},
	{"hvs.", wordy, 16, false},
	{"hvb.", wordy, 16, false},
	{"hvr.", wordy, 16, false},
	{"s.", alnum, 24, true}, // older tokens of Vault
	{"pul-", hex, 32, false},
	{"pscale_tkn_", dotted, 20, false},
	{"pscale_pw_", dotted, 20, false},
	{"pscale_oauth_", dotted, 20, false},
	{"sntrys_", base64s, 30, false},
	{"sntryu_", hex, 30, false},
	{"squ_", hex, 30, false}, // SonarQube
	{"sqp_", hex, 30, false},
	{"sqa_", hex, 30, false},
	{"sgp_", wordy, 30, false}, // Sourcegraph
	{"NRAK-", upper, 20, false},
	{"NRJS-", hex, 16, false},
	{"NRII-", wordy, 20, false},
	{"glc_", base64s, 32, false}, // Grafana
	{"glsa_", wordy, 32, false},
	{"eyJrIjoi", base64s, 50, false},
	{"dt0c01.", dotted, 24, false}, // Dynatrace
	{"dt0s16.", dotted, 24, false},
	{"tskey-", wordy, 20, false},
	{"PMAK-", wordy, 24, false}, // Postman
	{"pnu_", alnum, 30, false},  // Prefect
	{"tk-us-", wordy, 30, true}, // Scalingo
	{"HRKU-", wordy, 30, false}, // Heroku
	{"fo1_", wordy, 30, false},  // Fly
	{"fm1r_", base64s, 50, false},
	{"fm2_", base64s, 50, false},
	{"sbp_", hex, 30, false}, // Supabase
	{"nfp_", alnum, 30, false},
	{"rnd_", alnum, 24, false}, // Render
	{"ddp_", alnum, 30, false}, // Deno
	{"sha256~", wordy, 40, true},
	{"ops_eyJ", base64s, 50, false}, // 1Password
	{"A3-", wordy, 30, true},

	// Clouds.
	{"A3T", upper, 17, true}, // AWS
	{"ABIA", upper, 12, false},
	{"ACCA", upper, 12, false},
	{"AGPA", upper, 12, false},
	{"AIDA", upper, 12, false},
	{"AIPA", upper, 12, false},
	{"AKIA", upper, 12, false},
	{"ANPA", upper, 12, false},
	{"ANVA", upper, 12, false},
	{"APKA", upper, 12, false},
	{"AROA", upper, 12, false},
	{"ASCA", upper, 12, false},
	{"ASIA", upper, 12, false},
	{"ABSK", base64s, 60, false},
	{"amzn.mws.", wordy, 30, false},
	{"amzn1.oa2-cs.v1.", hex, 40, false},
	{"AIza", wordy, 30, false}, // Google
	{"ya29.", dotted, 16, false},
	{"GOCSPX-", wordy, 20, false},
	{"1//0", wordy, 30, true},
	{"dop_v1_", hex, 32, false}, // DigitalOcean
	{"doo_v1_", hex, 32, false},
	{"dor_v1_", hex, 32, false},
	{"dapi", hex, 32, false}, // Databricks
	{"LTAI", alnum, 16, true},
	{"AKID", alnum, 28, true}, // Tencent
	{"t1.", wordy, 40, true},  // Yandex
	{"y0_", wordy, 30, true},
	{"AQVN", wordy, 30, true},
	{"v1.0-", wordy, 100, true}, // Cloudflare

	// What people talk, plan and pay with.
	{"xoxa-", wordy, 10, false}, // Slack
	{"xoxb-", wordy, 10, false},
	{"xoxc-", wordy, 10, false},
	{"xoxd-", wordy, 10, false},
	{"xoxe-", wordy, 10, false},
	{"xoxe.xox", wordy, 10, false},
	{"xoxo-", wordy, 10, false},
	{"xoxp-", wordy, 10, false},
	{"xoxr-", wordy, 10, false},
	{"xoxs-", wordy, 10, false},
	{"xapp-", wordy, 16, false},
	{"xwfp-", wordy, 16, false},
	{"sk_live_", wordy, 8, false}, // Stripe, and others that took it over
	{"sk_test_", wordy, 8, false},
	{"sk_prod_", wordy, 8, false},
	{"rk_live_", wordy, 8, false},
	{"rk_test_", wordy, 8, false},
	{"rk_prod_", wordy, 8, false},
	{"whsec_", base64s, 20, false},
	{"shpat_", alnum, 24, false}, // Shopify
	{"shpca_", alnum, 24, false},
	{"shppa_", alnum, 24, false},
	{"shpss_", alnum, 24, false},
	{"shptka_", alnum, 24, false},
	{"shpua_", alnum, 24, false},
	{"sq0atp-", wordy, 20, false}, // Square
	{"sq0csp-", wordy, 20, false},
	{"EAAA", wordy, 56, true},
	{"EAAC", alnum, 60, true}, // Facebook
	{"FLWSECK", wordy, 20, true},
	{"EZAK", alnum, 40, true},
	{"EZTK", alnum, 40, true},
	{"duffel_live_", wordy, 30, false},
	{"duffel_test_", wordy, 30, false},
	{"shippo_live_", hex, 30, false},
	{"shippo_test_", hex, 30, false},
	{"SG.", dotted, 30, false}, // SendGrid
	{"xkeysib-", wordy, 40, false},
	{"xsmtpsib-", wordy, 40, false},
	{"re_", wordy, 24, true}, // Resend
	{"key-", hex, 32, true},  // Mailgun
	{"pubkey-", hex, 32, true},
	{"SK", hex, 32, true}, // Twilio
	{"lin_api_", alnum, 30, false},
	{"ntn_", alnum, 30, false},
	{"secret_", alnum, 40, true},
	{"figd_", wordy, 30, false},
	{"pat", dotted, 60, true}, // Airtable
	{"sl.", wordy, 100, true}, // Dropbox
	{"sl.u.", wordy, 100, true},
	{"tfp_", wordy, 30, false},
	{"rdme_", alnum, 40, false},
	{"ico-", alnum, 32, true},
	{"p8e-", alnum, 30, true},
	{"PRIVATE-", hex, 32, true},

	// Models.
	{"sk-ant-", wordy, 20, true},
	{"sk-proj-", wordy, 20, true},
	{"sk-svcacct-", wordy, 20, true},
	{"sk-admin-", wordy, 20, true},
	{"sk-", wordy, 20, true},
	{"hf_", alnum, 16, false},
	{"api_org_", alnum, 30, false},
	{"gsk_", alnum, 30, false},
	{"xai-", alnum, 40, false},
	{"pplx-", alnum, 30, false},
	{"r8_", alnum, 30, false},
	{"pcsk_", wordy, 30, false},
	{"lsv2_pt_", wordy, 30, false},
	{"lsv2_sk_", wordy, 30, false},

	// Keys of age.
	{"AGE-SECRET-KEY-1", upper, 20, false},
	{"AGE-PLUGIN-", wordy, 40, true},
}

